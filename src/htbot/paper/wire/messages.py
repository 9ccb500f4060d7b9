"""Messages from the gateway to the client (TWS_PROTOCOL section 4); orders stand in `order_fields`.

Sizes and volumes are fields of `_size`: up to version 162 they are whole numbers (TWS_PROTOCOL section 9, trap 2).
"""

from __future__ import annotations

from htbot.paper.wire.contract_fields import CONTRACT_11
from htbot.paper.wire.order_fields import COMPLETED_ORDER, OPEN_ORDER
from htbot.paper.wire.tables import HIGHEST_VERSION, Field, Item, Repeat, Table, fields
from htbot.paper.wire.values import to_escaped_text

__all__ = ["COMPLETED_ORDER", "OPEN_ORDER"]


def _message(message_id: int, name: str, *items: Item | str) -> Table:
    return Table(message_id, name, tuple(Field(item) if isinstance(item, str) else item for item in items))


def _v(number: int) -> Field:
    """The constant version field of older messages."""
    return Field("version", default=number)


_WHOLE_UNTIL = 162


def _size(name: str) -> Field:
    return Field(name, whole_until=_WHOLE_UNTIL, default=0)


_SECURITY_IDS = Repeat("secIds", fields("tag", "value"))
_SIZE_RULES = (
    Field("minSize", since=164, default=1),
    Field("sizeIncrement", since=164, default=1),
    Field("suggestedSizeIncrement", since=164, default=1),
)

TICK_PRICE = _message(
    1, "tickPrice", _v(6), "reqId", "tickType", "price", _size("size"), Field("attribMask", default=0)
)
TICK_SIZE = _message(2, "tickSize", _v(6), "reqId", "tickType", _size("size"))
ORDER_STATUS = _message(
    3, "orderStatus", "orderId", "status", "filled", "remaining", "avgFillPrice", "permId",
    Field("parentId", default=0), "lastFillPrice", "clientId", "whyHeld", Field("mktCapPrice", default=0),
)  # fmt: skip
# From version 153 on clients read texts of errors as unicode-escaped: a lone backslash would end their message loop.
_ERROR_TEXT = Field("text", write=to_escaped_text)
ERROR = _message(4, "error", _v(2), "id", "code", _ERROR_TEXT, Field("advancedOrderRejectJson", since=166))
ACCOUNT_VALUE = _message(6, "accountValue", _v(2), "key", "value", "currency", "account")
_HELD_CONTRACT = tuple(
    Field("primaryExchange") if isinstance(item, Field) and item.name == "exchange" else item for item in CONTRACT_11
)
PORTFOLIO = _message(
    7, "portfolio", _v(8), *_HELD_CONTRACT,
    "position", "marketPrice", "marketValue", "averageCost", "unrealizedPNL", "realizedPNL", "account",
)  # fmt: skip
ACCOUNT_TIME = _message(8, "updateAccountTime", _v(1), "time")
NEXT_VALID_ID = _message(9, "nextValidId", _v(1), "orderId")
CONTRACT_DETAILS = _message(
    10, "contractDetails", Field("version", until=163, default=8), "reqId", "symbol", "secType", "lastTradeDate",
    Field("strike", default=0), "right", "exchange", "currency", "localSymbol", "marketName", "tradingClass", "conId",
    "minTick", Field("mdSizeMultiplier", until=163, default=1), "multiplier", "orderTypes", "validExchanges",
    Field("priceMagnifier", default=1), Field("underConId", default=0), "longName", "primaryExchange", "contractMonth",
    "industry", "category", "subcategory", "timeZoneId", "tradingHours", "liquidHours", "evRule",
    Field("evMultiplier", default=0), _SECURITY_IDS, Field("aggGroup", default=1),
    "underSymbol", "underSecType", "marketRuleIds", "realExpirationDate", "stockType",
    Field("suggestedSizeIncrementOnly", since=163, until=163, default=1), *_SIZE_RULES,
)  # fmt: skip
EXECUTION = _message(
    11, "execDetails", "reqId", "orderId", *CONTRACT_11, "execId", "time", "account", "executionExchange", "side",
    "shares", "price", "permId", "clientId", Field("liquidation", default=0), "cumQty", "avgPrice", "orderRef",
    "evRule", "evMultiplier", "modelCode", Field("lastLiquidity", default=2),
    Field("pendingPriceRevision", since=178, default=0),
)  # fmt: skip
DEPTH = _message(12, "updateMktDepth", _v(1), "reqId", "position", "operation", "side", "price", _size("size"))
DEPTH_L2 = _message(
    13, "updateMktDepthL2", _v(1), "reqId", "position", "marketMaker", "operation", "side", "price", _size("size"),
    Field("isSmartDepth", default=0),
)  # fmt: skip
NEWS_BULLETIN = _message(14, "updateNewsBulletin", _v(1), "msgId", "type", "text", "exchange")
MANAGED_ACCOUNTS = _message(15, "managedAccounts", _v(1), "accounts")
RECEIVE_FA = _message(16, "receiveFA", _v(1), "type", "xml")
HISTORICAL_DATA = _message(
    17, "historicalData", "reqId", "start", "end",
    Repeat("bars", (*fields("date", "open", "high", "low", "close"), _size("volume"), *fields("wap", "count"))),
)  # fmt: skip
BOND_DETAILS = _message(
    18, "bondContractDetails", Field("version", until=163, default=6), "reqId", "symbol", "secType", "cusip",
    Field("coupon", whole_until=_WHOLE_UNTIL, default=0), "maturity", "issueDate", "ratings", "bondType", "couponType",
    *(Field(name, default=0) for name in ("convertible", "callable", "putable")), "descAppend", "exchange", "currency",
    "marketName", "tradingClass", "conId", "minTick", Field("mdSizeMultiplier", until=163, default=1), "orderTypes",
    "validExchanges", "nextOptionDate", "nextOptionType", Field("nextOptionPartial", default=0), "notes", "longName",
    "evRule", Field("evMultiplier", default=0), _SECURITY_IDS, Field("aggGroup", default=1), "marketRuleIds",
    *_SIZE_RULES,
)  # fmt: skip
SCANNER_PARAMETERS = _message(19, "scannerParameters", _v(1), "xml")
SCANNER_DATA = _message(
    20, "scannerData", _v(3), "reqId", Repeat("rows", (
        *fields("rank", "conId", "symbol", "secType", "lastTradeDateOrContractMonth"), Field("strike", default=0),
        *fields("right", "exchange", "currency", "localSymbol", "marketName", "tradingClass"),
        *fields("distance", "benchmark", "projection", "legs"),
    )),
)  # fmt: skip
TICK_OPTION = _message(
    21, "tickOptionComputation", "reqId", "tickType", Field("tickAttrib", default=0), "impliedVol", "delta", "optPrice",
    "pvDividend", "gamma", "vega", "theta", "undPrice",
)  # fmt: skip
TICK_GENERIC = _message(45, "tickGeneric", _v(6), "reqId", "tickType", "value")
TICK_STRING = _message(46, "tickString", _v(6), "reqId", "tickType", "value")
TICK_EFP = _message(
    47, "tickEFP", _v(6), "reqId", "tickType", "basisPoints", "formattedBasisPoints", "totalDividends", "holdDays",
    "futureLastTradeDate", "dividendImpact", "dividendsToLastTradeDate",
)  # fmt: skip
CURRENT_TIME = _message(49, "currentTime", _v(1), "time")
REALTIME_BAR = _message(
    50, "realtimeBar", _v(3), "reqId", "time", "open", "high", "low", "close", _size("volume"), "wap", "count",
)  # fmt: skip
FUNDAMENTAL_DATA = _message(51, "fundamentalData", _v(1), "reqId", "data")
CONTRACT_DETAILS_END = _message(52, "contractDetailsEnd", _v(1), "reqId")
OPEN_ORDER_END = _message(53, "openOrderEnd", _v(1))
ACCOUNT_DOWNLOAD_END = _message(54, "accountDownloadEnd", _v(1), "account")
EXECUTION_END = _message(55, "execDetailsEnd", _v(1), "reqId")
DELTA_NEUTRAL_VALIDATION = _message(56, "deltaNeutralValidation", _v(1), "reqId", "conId", "delta", "price")
SNAPSHOT_END = _message(57, "tickSnapshotEnd", _v(1), "reqId")
MARKET_DATA_TYPE = _message(58, "marketDataType", _v(1), "reqId", "type")
COMMISSION_REPORT = _message(
    59, "commissionReport", _v(1), "execId", "commission", Field("currency", default="USD"), "realizedPNL", "yield",
    "yieldRedemptionDate",
)  # fmt: skip
POSITION = _message(61, "position", _v(3), "account", *CONTRACT_11, "position", "avgCost")
POSITION_END = _message(62, "positionEnd", _v(1))
ACCOUNT_SUMMARY = _message(63, "accountSummary", _v(1), "reqId", "account", "tag", "value", "currency")
ACCOUNT_SUMMARY_END = _message(64, "accountSummaryEnd", _v(1), "reqId")
VERIFY_MESSAGE = _message(65, "verifyMessageAPI", _v(1), "apiData")
VERIFY_COMPLETED = _message(66, "verifyCompleted", _v(1), "isSuccessful", "errorText")
DISPLAY_GROUP_LIST = _message(67, "displayGroupList", _v(1), "reqId", "groups")
DISPLAY_GROUP_UPDATED = _message(68, "displayGroupUpdated", _v(1), "reqId", "contractInfo")
VERIFY_AND_AUTH_MESSAGE = _message(69, "verifyAndAuthMessageAPI", _v(1), "apiData", "xyzChallenge")
VERIFY_AND_AUTH_COMPLETED = _message(70, "verifyAndAuthCompleted", _v(1), "isSuccessful", "errorText")
POSITION_MULTI = _message(
    71, "positionMulti", _v(1), "reqId", "account", *CONTRACT_11, "position", "avgCost", "modelCode",
)  # fmt: skip
POSITION_MULTI_END = _message(72, "positionMultiEnd", _v(1), "reqId")
ACCOUNT_UPDATE_MULTI = _message(
    73, "accountUpdateMulti", _v(1), "reqId", "account", "modelCode", "key", "value", "currency",
)  # fmt: skip
ACCOUNT_UPDATE_MULTI_END = _message(74, "accountUpdateMultiEnd", _v(1), "reqId")
OPTION_PARAMETERS = _message(
    75, "secDefOptParams", "reqId", "exchange", "underConId", "tradingClass", "multiplier",
    Repeat("expirations", fields("expiry")), Repeat("strikes", fields("strike")),
)  # fmt: skip
OPTION_PARAMETERS_END = _message(76, "secDefOptParamsEnd", "reqId")
SOFT_DOLLAR_TIERS = _message(77, "softDollarTiers", "reqId", Repeat("tiers", fields("name", "value", "display")))
FAMILY_CODES = _message(78, "familyCodes", Repeat("codes", fields("account", "code")))
SYMBOL_SAMPLES = _message(
    79, "symbolSamples", "reqId", Repeat("samples", (
        *fields("conId", "symbol", "secType", "primaryExchange", "currency"), Repeat("derivatives", fields("secType")),
        *fields("description", "issuerId", since=176),
    )),
)  # fmt: skip
DEPTH_EXCHANGES = _message(
    80, "mktDepthExchanges", Repeat("exchanges", fields("exchange", "secType", "listing", "service", "aggGroup")),
)  # fmt: skip
TICK_PARAMETERS = _message(
    81, "tickReqParams", "reqId", "minTick", "bboExchange", Field("snapshotPermissions", default=3),
)  # fmt: skip
SMART_COMPONENTS = _message(
    82, "smartComponents", "reqId", Repeat("components", fields("bit", "exchange", "letter")),
)  # fmt: skip
NEWS_ARTICLE = _message(83, "newsArticle", "reqId", "articleType", "articleText")
TICK_NEWS = _message(84, "tickNews", "reqId", "timeStamp", "providerCode", "articleId", "headline", "extraData")
NEWS_PROVIDERS = _message(85, "newsProviders", Repeat("providers", fields("code", "name")))
HISTORICAL_NEWS = _message(86, "historicalNews", "reqId", "time", "providerCode", "articleId", "headline")
HISTORICAL_NEWS_END = _message(87, "historicalNewsEnd", "reqId", Field("hasMore", default=0))
HEAD_TIMESTAMP = _message(88, "headTimestamp", "reqId", "timestamp")
# Libraries of every version read the counts of a histogram as whole numbers.
_COUNT = Field("count", whole_until=HIGHEST_VERSION)
HISTOGRAM = _message(89, "histogramData", "reqId", Repeat("items", (Field("price"), _COUNT)))
HISTORICAL_UPDATE = _message(
    90, "historicalDataUpdate", "reqId", "count", "date", "open", "close", "high", "low", "wap",
    _size("volume"),
)  # fmt: skip
REROUTE_MARKET_DATA = _message(91, "rerouteMktDataReq", "reqId", "conId", "exchange")
REROUTE_DEPTH = _message(92, "rerouteMktDepthReq", "reqId", "conId", "exchange")
MARKET_RULE = _message(93, "marketRule", "marketRuleId", Repeat("increments", fields("lowEdge", "increment")))
PNL = _message(94, "pnl", "reqId", "dailyPnL", "unrealizedPnL", "realizedPnL")
PNL_SINGLE = _message(95, "pnlSingle", "reqId", _size("position"), "dailyPnL", "unrealizedPnL", "realizedPnL", "value")
_DONE = Field("done", default=1)
HISTORICAL_TICKS = _message(
    96, "historicalTicks", "reqId",
    Repeat("ticks", (Field("time"), Field("unused", default=0), Field("price"), _size("size"))), _DONE,
)  # fmt: skip
HISTORICAL_TICKS_BID_ASK = _message(
    97, "historicalTicksBidAsk", "reqId",
    Repeat("ticks", (
        Field("time"), Field("mask", default=0), Field("bid"), Field("ask"), _size("bidSize"), _size("askSize"),
    )), _DONE,
)  # fmt: skip
HISTORICAL_TICKS_LAST = _message(
    98, "historicalTicksLast", "reqId",
    Repeat("ticks", (
        Field("time"), Field("mask", default=0), Field("price"), _size("size"), *fields("exchange", "conditions"),
    )), _DONE,
)  # fmt: skip
TICK_LAST = _message(
    99, "tickByTick", "reqId", "tickType", "time", "price", _size("size"), Field("mask", default=0), "exchange",
    "conditions",
)  # fmt: skip
TICK_BID_ASK = _message(
    99, "tickByTick", "reqId", Field("tickType", default=3), "time", "bid", "ask", _size("bidSize"), _size("askSize"),
    Field("mask", default=0),
)  # fmt: skip
TICK_MIDPOINT = _message(99, "tickByTick", "reqId", Field("tickType", default=4), "time", "price")
ORDER_BOUND = _message(100, "orderBound", "permId", "clientId", "orderId")
COMPLETED_ORDERS_END = _message(102, "completedOrdersEnd")
REPLACE_FA_END = _message(103, "replaceFAEnd", "reqId", "text")
WSH_META_DATA = _message(104, "wshMetaData", "reqId", "json")
WSH_EVENT_DATA = _message(105, "wshEventData", "reqId", "json")
HISTORICAL_SCHEDULE = _message(
    106, "historicalSchedule", "reqId", "start", "end", "timeZone",
    Repeat("sessions", fields("start", "end", "refDate")),
)  # fmt: skip
USER_INFO = _message(107, "userInfo", "reqId", "whiteBrandingId")
