"""Messages from the client to the gateway (TWS_PROTOCOL section 3); placeOrder stands in `order_fields`."""

from __future__ import annotations

from htbot.paper.wire.contract_fields import COMBO_LEGS, CONTRACT_12, DELTA_NEUTRAL
from htbot.paper.wire.order_fields import PLACE_ORDER
from htbot.paper.wire.tables import Field, Item, Table, fields
from htbot.paper.wire.values import BOOL, DECIMAL, FLOAT, INT, MAYBE_FLOAT, MAYBE_INT, TAGS

_V = Field("version")
_ID = Field("reqId", INT)
_OPTIONS = Field("options", TAGS)
_EXPIRED = Field("includeExpired", BOOL)


def _request(message_id: int, name: str, *items: Item) -> Table:
    return Table(message_id, name, items)


_OLD_CONTRACT: tuple[Item, ...] = tuple(
    item for item in CONTRACT_12 if isinstance(item, Field) and item.name != "primaryExchange"
)

_SCANNER_FILTERS: tuple[Item, ...] = (
    *fields("abovePrice", "belowPrice", reader=MAYBE_FLOAT),
    Field("aboveVolume", MAYBE_INT),
    *fields("marketCapAbove", "marketCapBelow", reader=MAYBE_FLOAT),
    *fields("moodyRatingAbove", "moodyRatingBelow", "spRatingAbove", "spRatingBelow"),
    *fields("maturityDateAbove", "maturityDateBelow"),
    *fields("couponRateAbove", "couponRateBelow", reader=MAYBE_FLOAT),
    Field("excludeConvertible", BOOL),
    Field("averageOptionVolumeAbove", MAYBE_INT),
    *fields("scannerSettingPairs", "stockTypeFilter"),
)

TABLES: tuple[Table, ...] = (
    _request(
        1, "reqMktData", _V, _ID, *CONTRACT_12, COMBO_LEGS, *DELTA_NEUTRAL,
        Field("genericTicks"), Field("snapshot", BOOL), Field("regulatorySnapshot", BOOL), _OPTIONS,
    ),
    _request(2, "cancelMktData", _V, _ID),
    PLACE_ORDER,
    _request(4, "cancelOrder", _V, Field("orderId", INT), Field("manualCancelOrderTime", since=169)),
    _request(5, "reqOpenOrders", _V),
    _request(6, "reqAccountUpdates", _V, Field("subscribe", BOOL), Field("account")),
    _request(
        7, "reqExecutions", _V, _ID, Field("clientId", INT), Field("account"), Field("time"), Field("symbol"),
        Field("secType"), Field("exchange"), Field("side"),
    ),
    _request(8, "reqIds", _V, Field("count", INT)),
    _request(
        9, "reqContractDetails", _V, _ID, *CONTRACT_12, _EXPIRED, Field("secIdType"), Field("secId"),
        Field("issuerId", since=176),
    ),
    _request(10, "reqMktDepth", _V, _ID, *CONTRACT_12, Field("rows", INT), Field("isSmartDepth", BOOL), _OPTIONS),
    _request(11, "cancelMktDepth", _V, _ID, Field("isSmartDepth", BOOL)),
    _request(12, "reqNewsBulletins", _V, Field("allMessages", BOOL)),
    _request(13, "cancelNewsBulletins", _V),
    _request(14, "setServerLogLevel", _V, Field("level", INT)),
    _request(15, "reqAutoOpenOrders", _V, Field("autoBind", BOOL)),
    _request(16, "reqAllOpenOrders", _V),
    _request(17, "reqManagedAccts", _V),
    _request(18, "requestFA", _V, Field("type", INT)),
    _request(19, "replaceFA", _V, Field("type", INT), Field("xml"), _ID),
    _request(
        20, "reqHistoricalData", _ID, *CONTRACT_12, _EXPIRED, Field("endDateTime"), Field("barSize"),
        Field("duration"), Field("useRTH", BOOL), Field("whatToShow"), Field("formatDate", INT), COMBO_LEGS,
        Field("keepUpToDate", BOOL), _OPTIONS,
    ),
    _request(
        21, "exerciseOptions", _V, _ID, *_OLD_CONTRACT, Field("exerciseAction", INT),
        Field("exerciseQuantity", DECIMAL), Field("account"), Field("override", INT),
    ),
    _request(
        22, "reqScannerSubscription", _ID, Field("numberOfRows", INT),
        *fields("instrument", "locationCode", "scanCode"), *_SCANNER_FILTERS, Field("filterOptions", TAGS), _OPTIONS,
    ),
    _request(23, "cancelScannerSubscription", _V, _ID),
    _request(24, "reqScannerParameters", _V),
    _request(25, "cancelHistoricalData", _V, _ID),
    _request(49, "reqCurrentTime", _V),
    _request(
        50, "reqRealTimeBars", _V, _ID, *CONTRACT_12, Field("barSize", INT), Field("whatToShow"),
        Field("useRTH", BOOL), _OPTIONS,
    ),
    _request(51, "cancelRealTimeBars", _V, _ID),
    _request(
        52, "reqFundamentalData", _V, _ID, Field("conId", INT),
        *fields("symbol", "secType", "exchange", "primaryExchange", "currency", "localSymbol", "reportType"),
        Field("nOptions"), _OPTIONS,
    ),
    _request(53, "cancelFundamentalData", _V, _ID),
    _request(
        54, "reqCalcImpliedVolatility", _V, _ID, *CONTRACT_12, *fields("optionPrice", "underPrice", reader=FLOAT),
        Field("nOptions"), _OPTIONS,
    ),
    _request(
        55, "reqCalcOptionPrice", _V, _ID, *CONTRACT_12, *fields("volatility", "underPrice", reader=FLOAT),
        Field("nOptions"), _OPTIONS,
    ),
    _request(56, "cancelCalcImpliedVolatility", _V, _ID),
    _request(57, "cancelCalcOptionPrice", _V, _ID),
    _request(58, "reqGlobalCancel", _V),
    _request(59, "reqMarketDataType", _V, Field("type", INT)),
    _request(61, "reqPositions", _V),
    _request(62, "reqAccountSummary", _V, _ID, Field("group"), Field("tags")),
    _request(63, "cancelAccountSummary", _V, _ID),
    _request(64, "cancelPositions", _V),
    _request(65, "verifyRequest", _V, *fields("apiName", "apiVersion")),
    _request(66, "verifyMessage", _V, Field("apiData")),
    _request(67, "queryDisplayGroups", _V, _ID),
    _request(68, "subscribeToGroupEvents", _V, _ID, Field("groupId", INT)),
    _request(69, "updateDisplayGroup", _V, _ID, Field("contractInfo")),
    _request(70, "unsubscribeFromGroupEvents", _V, _ID),
    _request(71, "startApi", _V, Field("clientId", INT), Field("optionalCapabilities")),
    _request(72, "verifyAndAuthRequest", _V, *fields("apiName", "apiVersion", "opaqueIsvKey")),
    _request(73, "verifyAndAuthMessage", _V, *fields("apiData", "xyzResponse")),
    _request(74, "reqPositionsMulti", _V, _ID, Field("account"), Field("modelCode")),
    _request(75, "cancelPositionsMulti", _V, _ID),
    _request(76, "reqAccountUpdatesMulti", _V, _ID, Field("account"), Field("modelCode"), Field("ledgerAndNLV", BOOL)),
    _request(77, "cancelAccountUpdatesMulti", _V, _ID),
    _request(
        78, "reqSecDefOptParams", _ID, Field("underlyingSymbol"), Field("futFopExchange"),
        Field("underlyingSecType"), Field("underlyingConId", INT),
    ),
    _request(79, "reqSoftDollarTiers", _ID),
    _request(80, "reqFamilyCodes"),
    _request(81, "reqMatchingSymbols", _ID, Field("pattern")),
    _request(82, "reqMktDepthExchanges"),
    _request(83, "reqSmartComponents", _ID, Field("bboExchange")),
    _request(84, "reqNewsArticle", _ID, *fields("providerCode", "articleId"), _OPTIONS),
    _request(85, "reqNewsProviders"),
    _request(
        86, "reqHistoricalNews", _ID, Field("conId", INT), *fields("providerCodes", "startDateTime", "endDateTime"),
        Field("totalResults", INT), _OPTIONS,
    ),
    _request(
        87, "reqHeadTimeStamp", _ID, *CONTRACT_12, _EXPIRED, Field("useRTH", BOOL), Field("whatToShow"),
        Field("formatDate", INT),
    ),
    _request(
        88, "reqHistogramData", _ID, *CONTRACT_12, _EXPIRED, Field("useRTH", BOOL), Field("timePeriod"),
    ),
    _request(89, "cancelHistogramData", _ID),
    _request(90, "cancelHeadTimeStamp", _ID),
    _request(91, "reqMarketRule", Field("marketRuleId", INT)),
    _request(92, "reqPnL", _ID, Field("account"), Field("modelCode")),
    _request(93, "cancelPnL", _ID),
    _request(94, "reqPnLSingle", _ID, Field("account"), Field("modelCode"), Field("conId", INT)),
    _request(95, "cancelPnLSingle", _ID),
    _request(
        96, "reqHistoricalTicks", _ID, *CONTRACT_12, _EXPIRED, *fields("startDateTime", "endDateTime"),
        Field("numberOfTicks", INT), Field("whatToShow"), Field("useRTH", BOOL), Field("ignoreSize", BOOL), _OPTIONS,
    ),
    _request(
        97, "reqTickByTickData", _ID, *CONTRACT_12, Field("tickType"), Field("numberOfTicks", INT),
        Field("ignoreSize", BOOL),
    ),
    _request(98, "cancelTickByTickData", _ID),
    _request(99, "reqCompletedOrders", Field("apiOnly", BOOL)),
    _request(100, "reqWshMetaData", _ID),
    _request(101, "cancelWshMetaData", _ID),
    _request(
        102, "reqWshEventData", _ID, Field("conId", MAYBE_INT), Field("filter", since=171),
        *fields("fillWatchlist", "fillPortfolio", "fillCompetitors", reader=BOOL, since=171),
        *fields("startDate", "endDate", since=173), Field("totalLimit", MAYBE_INT, since=173),
    ),
    _request(103, "cancelWshEventData", _ID),
    _request(104, "reqUserInfo", _ID),
)  # fmt: skip

BY_ID: dict[int, Table] = {table.message_id: table for table in TABLES}
