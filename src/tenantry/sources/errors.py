"""What sources refuse."""

from tenantry.kernel import Problem


class SourceNotFound(Problem):
    """This product has no such data source."""

    code, status = "sources.not_found", 404


class SourcePlanned(Problem):
    """This data source is planned; nobody can call it yet."""

    code, status = "sources.planned", 409


class PlanTooSmall(Problem):
    """Your plan does not include this data source."""

    code, status = "sources.plan_too_small", 403


class SymbolMissing(Problem):
    """Write a symbol, like BTCUSDT."""

    code, status = "sources.symbol_missing", 422


class UnknownSymbol(Problem):
    """The source does not know this symbol. Symbols are letters and digits, like BTCUSDT."""

    code, status = "sources.symbol_unknown", 404


class NoPriceNow(Problem):
    """This pair is not traded now, so it has no price."""

    code, status = "sources.no_price", 404


class SourceBusy(Problem):
    """The data source's own limit is nearly used up. Calls of larger plans go first; try again in a moment."""

    code, status = "sources.busy", 503


class SourceAway(Problem):
    """The data source cannot be reached just now."""

    code, status = "sources.unavailable", 503
