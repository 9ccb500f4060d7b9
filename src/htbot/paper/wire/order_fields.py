"""The three long messages of an order: placeOrder in, openOrder and completedOrder out (TWS_PROTOCOL 3.1 and 4.1).

Names are those of the order in IB's API, so that what a client sent is echoed under the same name.
"""

from __future__ import annotations

from typing import Any

from htbot.paper.wire.contract_fields import CONTRACT_11, CONTRACT_12, DELTA_NEUTRAL
from htbot.paper.wire.tables import Field, Item, Repeat, Table, Values, When, fields
from htbot.paper.wire.values import BOOL, DECIMAL, INT, MAYBE_DECIMAL, MAYBE_INT

_LEG: tuple[Item, ...] = (
    Field("conId", INT),
    Field("ratio", INT),
    Field("action"),
    Field("exchange"),
    Field("openClose", INT, default=0),
    Field("shortSaleSlot", INT, default=0),
    Field("designatedLocation"),
    Field("exemptCode", INT, default=-1),
)
_LEG_PRICE: tuple[Item, ...] = (Field("price", MAYBE_DECIMAL),)
_TAG: tuple[Item, ...] = fields("tag", "value")

_ALGO: tuple[Item, ...] = (
    Field("algoStrategy"),
    When(lambda values: bool(values.get("algoStrategy")), (Repeat("algoParams", _TAG),)),
)
_HEDGE: tuple[Item, ...] = (
    Field("hedgeType"),
    When(lambda values: bool(values.get("hedgeType")), (Field("hedgeParam"),)),
)


def _has_scale(values: Values) -> bool:
    increment = values.get("scalePriceIncrement")
    return increment is not None and increment > 0


_SCALE: tuple[Item, ...] = (
    Field("scaleInitLevelSize", MAYBE_INT),
    Field("scaleSubsLevelSize", MAYBE_INT),
    Field("scalePriceIncrement", MAYBE_DECIMAL),
    When(
        _has_scale,
        (
            Field("scalePriceAdjustValue", MAYBE_DECIMAL),
            Field("scalePriceAdjustInterval", MAYBE_INT),
            Field("scaleProfitOffset", MAYBE_DECIMAL),
            Field("scaleAutoReset", BOOL),
            Field("scaleInitPosition", MAYBE_INT),
            Field("scaleInitFillQty", MAYBE_INT),
            Field("scaleRandomPercent", BOOL),
        ),
    ),
)


def _pegged(*types: str) -> Any:
    wanted = {text for name in types for text in (name, name.replace(" ", ""))}
    return lambda values: values.get("orderType") in wanted


_PEG_BENCH = When(
    _pegged("PEG BENCH"),
    (
        Field("referenceContractId", INT),
        Field("isPeggedChangeAmountDecrease", BOOL),
        Field("peggedChangeAmount", MAYBE_DECIMAL),
        Field("referenceChangeAmount", MAYBE_DECIMAL),
        Field("referenceExchangeId"),
    ),
)


# fields after the type: 1 price, 3 time, 4 margin, 5 execution, 6 volume, 7 percent change
_CONDITION_LENGTHS = {1: 6, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5}


def _condition(kind: int, length: int) -> When:
    return When(lambda values: values.get("condType") == kind, fields(*(f"value{index}" for index in range(length))))


_CONDITIONS: tuple[Item, ...] = (
    Repeat("conditions", (Field("condType", INT), *(_condition(*item) for item in _CONDITION_LENGTHS.items()))),
    When(
        lambda values: bool(values.get("conditions")),
        (Field("conditionsIgnoreRth", BOOL), Field("conditionsCancelOrder", BOOL)),
    ),
)

_MID_OFFSETS: tuple[Item, ...] = (Field("midOffsetAtWhole", MAYBE_DECIMAL), Field("midOffsetAtHalf", MAYBE_DECIMAL))
_PEG_BEST_ASKED = When(
    _pegged("PEG BEST", "PEG MID"),
    (
        When(
            _pegged("PEG BEST"), (Field("minCompeteSize", MAYBE_INT), Field("competeAgainstBestOffset", MAYBE_DECIMAL))
        ),
        When(
            lambda values: values["orderType"].startswith("PEG") and values.get("competeAgainstBestOffset") is None,
            _MID_OFFSETS,
        ),
    ),
    since=170,
)

PLACE_ORDER = Table(
    3,
    "placeOrder",
    (
        Field("orderId", INT),
        *CONTRACT_12,
        *fields("secIdType", "secId", "action"),
        Field("totalQuantity", DECIMAL),
        Field("orderType"),
        Field("lmtPrice", MAYBE_DECIMAL),
        Field("auxPrice", MAYBE_DECIMAL),
        *fields("tif", "ocaGroup", "account", "openClose"),
        Field("origin", INT),
        Field("orderRef"),
        Field("transmit", BOOL),
        Field("parentId", INT),
        Field("blockOrder", BOOL),
        Field("sweepToFill", BOOL),
        Field("displaySize", MAYBE_INT),
        Field("triggerMethod", INT),
        Field("outsideRth", BOOL),
        Field("hidden", BOOL),
        When(
            lambda values: values["secType"] == "BAG",
            (
                Repeat("comboLegs", _LEG),
                Repeat("orderComboLegs", _LEG_PRICE),
                Repeat("smartComboRoutingParams", _TAG),
            ),
        ),
        Field("sharesAllocation"),
        Field("discretionaryAmt", DECIMAL),
        *fields("goodAfterTime", "goodTillDate", "faGroup", "faMethod", "faPercentage"),
        Field("faProfile", until=176),
        Field("modelCode"),
        Field("shortSaleSlot", INT),
        Field("designatedLocation"),
        Field("exemptCode", INT),
        Field("ocaType", INT),
        *fields("rule80A", "settlingFirm"),
        Field("allOrNone", BOOL),
        Field("minQty", MAYBE_INT),
        Field("percentOffset", MAYBE_DECIMAL),
        Field("eTradeOnly", BOOL),
        Field("firmQuoteOnly", BOOL),
        Field("nbboPriceCap", MAYBE_DECIMAL),
        Field("auctionStrategy", MAYBE_INT),
        Field("startingPrice", MAYBE_DECIMAL),
        Field("stockRefPrice", MAYBE_DECIMAL),
        Field("delta", MAYBE_DECIMAL),
        Field("stockRangeLower", MAYBE_DECIMAL),
        Field("stockRangeUpper", MAYBE_DECIMAL),
        Field("overridePercentageConstraints", BOOL),
        Field("volatility", MAYBE_DECIMAL),
        Field("volatilityType", MAYBE_INT),
        Field("deltaNeutralOrderType"),
        Field("deltaNeutralAuxPrice", MAYBE_DECIMAL),
        When(
            lambda values: bool(values.get("deltaNeutralOrderType")),
            fields(
                "deltaNeutralConId",
                "deltaNeutralSettlingFirm",
                "deltaNeutralClearingAccount",
                "deltaNeutralClearingIntent",
                "deltaNeutralOpenClose",
                "deltaNeutralShortSale",
                "deltaNeutralShortSaleSlot",
                "deltaNeutralDesignatedLocation",
            ),
        ),
        Field("continuousUpdate", BOOL),
        Field("referencePriceType", MAYBE_INT),
        Field("trailStopPrice", MAYBE_DECIMAL),
        Field("trailingPercent", MAYBE_DECIMAL),
        *_SCALE,
        *fields("scaleTable", "activeStartTime", "activeStopTime"),
        *_HEDGE,
        Field("optOutSmartRouting", BOOL),
        *fields("clearingAccount", "clearingIntent"),
        Field("notHeld", BOOL),
        *DELTA_NEUTRAL,
        *_ALGO,
        Field("algoId"),
        Field("whatIf", BOOL),
        Field("orderMiscOptions"),
        Field("solicited", BOOL),
        Field("randomizeSize", BOOL),
        Field("randomizePrice", BOOL),
        _PEG_BENCH,
        *_CONDITIONS,
        Field("adjustedOrderType"),
        Field("triggerPrice", MAYBE_DECIMAL),
        Field("lmtPriceOffset", MAYBE_DECIMAL),
        Field("adjustedStopPrice", MAYBE_DECIMAL),
        Field("adjustedStopLimitPrice", MAYBE_DECIMAL),
        Field("adjustedTrailingAmount", MAYBE_DECIMAL),
        Field("adjustableTrailingUnit", INT),
        *fields("extOperator", "softDollarTierName", "softDollarTierValue"),
        Field("cashQty", MAYBE_DECIMAL),
        *fields("mifid2DecisionMaker", "mifid2DecisionAlgo", "mifid2ExecutionTrader", "mifid2ExecutionAlgo"),
        Field("dontUseAutoPriceForHedge", BOOL),
        Field("isOmsContainer", BOOL),
        Field("discretionaryUpToLimitPrice", BOOL),
        Field("usePriceMgmtAlgo"),
        Field("duration", MAYBE_INT, since=158),
        Field("postToAts", MAYBE_INT, since=160),
        Field("autoCancelParent", BOOL, since=162),
        Field("advancedErrorOverride", since=166),
        Field("manualOrderTime", since=169),
        When(lambda values: values["exchange"] == "IBKRATS", (Field("minTradeQty", MAYBE_INT),), since=170),
        _PEG_BEST_ASKED,
    ),
)

_VOLATILITY_NEUTRAL: tuple[Item, ...] = (
    # TWS writes the text `None` and eight more fields; an empty type has none and every client reads that too
    Field("deltaNeutralOrderType"),
    Field("deltaNeutralAuxPrice"),
    When(
        lambda values: bool(values.get("deltaNeutralOrderType")),
        (
            Field("deltaNeutralConId", default=0),
            Field("deltaNeutralSettlingFirm"),
            Field("deltaNeutralClearingAccount"),
            Field("deltaNeutralClearingIntent"),
            Field("deltaNeutralOpenClose", default="?"),
            Field("deltaNeutralShortSale", default=0),
            Field("deltaNeutralShortSaleSlot", default=0),
            Field("deltaNeutralDesignatedLocation"),
        ),
    ),
)

_COMBO: tuple[Item, ...] = (
    Field("comboLegsDescrip"),
    Repeat("comboLegs", _LEG),
    Repeat("orderComboLegs", _LEG_PRICE),
    Repeat("smartComboRoutingParams", _TAG),
)

_PEG_BEST: tuple[Item, ...] = fields(
    "minTradeQty", "minCompeteSize", "competeAgainstBestOffset", "midOffsetAtWhole", "midOffsetAtHalf", since=170
)

_PRICED: tuple[Item, ...] = (
    *CONTRACT_11,
    Field("action"),
    Field("totalQuantity"),
    Field("orderType"),
    Field("lmtPrice", default=0),
    Field("auxPrice", default=0),
    Field("tif"),
    Field("ocaGroup"),
    Field("account"),
    Field("openClose"),
    Field("origin", default=0),
    Field("orderRef"),
)

_FA: tuple[Item, ...] = (
    *fields("faGroup", "faMethod", "faPercentage"),
    Field("faProfile", until=176),
    *fields("modelCode", "goodTillDate", "rule80A", "percentOffset", "settlingFirm"),
    Field("shortSaleSlot", default=0),
    Field("designatedLocation"),
    Field("exemptCode", default=-1),
)

_STOCK_RANGE: tuple[Item, ...] = fields("startingPrice", "stockRefPrice", "delta", "stockRangeLower", "stockRangeUpper")

_TICKET: tuple[Item, ...] = (
    Field("outsideRth", default=0),
    Field("hidden", default=0),
    Field("discretionaryAmt", default=0),
    Field("goodAfterTime"),
)

OPEN_ORDER = Table(
    5,
    "openOrder",
    (
        Field("orderId"),
        *_PRICED,
        Field("clientId"),
        Field("permId"),
        *_TICKET,
        Field("sharesAllocation"),
        *_FA,
        Field("auctionStrategy", default=0),
        *_STOCK_RANGE,
        Field("displaySize", default=0),
        Field("blockOrder", default=0),
        Field("sweepToFill", default=0),
        Field("allOrNone", default=0),
        Field("minQty"),
        Field("ocaType", default=0),
        Field("eTradeOnly", default=0),
        Field("firmQuoteOnly", default=0),
        Field("nbboPriceCap"),
        Field("parentId", default=0),
        Field("triggerMethod", default=0),
        *fields("volatility", "volatilityType"),
        *_VOLATILITY_NEUTRAL,
        Field("continuousUpdate", default=0),
        *fields("referencePriceType", "trailStopPrice", "trailingPercent", "basisPoints", "basisPointsType"),
        *_COMBO,
        *_SCALE,
        *_HEDGE,
        Field("optOutSmartRouting", default=0),
        *fields("clearingAccount", "clearingIntent"),
        Field("notHeld", default=0),
        *DELTA_NEUTRAL,
        *_ALGO,
        Field("solicited", default=0),
        Field("whatIf", default=0),
        *fields(
            "status",
            "initMarginBefore",
            "maintMarginBefore",
            "equityWithLoanBefore",
            "initMarginChange",
            "maintMarginChange",
            "equityWithLoanChange",
            "initMarginAfter",
            "maintMarginAfter",
            "equityWithLoanAfter",
            "commission",
            "minCommission",
            "maxCommission",
            "commissionCurrency",
            "warningText",
        ),
        Field("randomizeSize", default=0),
        Field("randomizePrice", default=0),
        _PEG_BENCH,
        *_CONDITIONS,
        *fields("adjustedOrderType", "triggerPrice", "trailStopPrice", "lmtPriceOffset"),
        *fields("adjustedStopPrice", "adjustedStopLimitPrice", "adjustedTrailingAmount"),
        Field("adjustableTrailingUnit", default=0),
        *fields("softDollarTierName", "softDollarTierValue", "softDollarTierDisplayName"),
        Field("cashQty", default=0),
        Field("dontUseAutoPriceForHedge", default=0),
        Field("isOmsContainer", default=0),
        Field("discretionaryUpToLimitPrice", default=0),
        Field("usePriceMgmtAlgo", default=0),
        Field("duration", since=159),
        Field("postToAts", since=160),
        Field("autoCancelParent", since=162, default=0),
        *_PEG_BEST,
    ),
)

COMPLETED_ORDER = Table(
    101,
    "completedOrder",
    (
        *_PRICED,
        Field("permId"),
        *_TICKET,
        *_FA,
        *_STOCK_RANGE,
        Field("displaySize", default=0),
        Field("sweepToFill", default=0),
        Field("allOrNone", default=0),
        Field("minQty"),
        Field("ocaType", default=0),
        Field("triggerMethod", default=0),
        *fields("volatility", "volatilityType"),
        Field("deltaNeutralOrderType"),
        Field("deltaNeutralAuxPrice"),
        When(
            lambda values: bool(values.get("deltaNeutralOrderType")),
            (
                Field("deltaNeutralConId", default=0),
                Field("deltaNeutralShortSale", default=0),
                Field("deltaNeutralShortSaleSlot", default=0),
                Field("deltaNeutralDesignatedLocation"),
            ),
        ),
        Field("continuousUpdate", default=0),
        *fields("referencePriceType", "trailStopPrice", "trailingPercent"),
        *_COMBO,
        *_SCALE,
        *_HEDGE,
        *fields("clearingAccount", "clearingIntent"),
        Field("notHeld", default=0),
        *DELTA_NEUTRAL,
        *_ALGO,
        Field("solicited", default=0),
        Field("status"),
        Field("randomizeSize", default=0),
        Field("randomizePrice", default=0),
        _PEG_BENCH,
        *_CONDITIONS,
        *fields("trailStopPrice", "lmtPriceOffset"),
        Field("cashQty", default=0),
        Field("dontUseAutoPriceForHedge", default=0),
        Field("isOmsContainer", default=0),
        Field("autoCancelDate"),
        Field("filledQuantity"),
        Field("refFuturesConId", default=0),
        Field("autoCancelParent", default=0),
        Field("shareholder"),
        Field("imbalanceOnly", default=0),
        Field("routeMarketableToBbo", default=0),
        Field("parentPermId", default=0),
        *fields("completedTime", "completedStatus"),
        *_PEG_BEST,
    ),
)
