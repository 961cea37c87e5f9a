"""Currencies: which there are, and how many digits their minor unit has (ISO 4217).

Amounts are whole minor units everywhere: 1999 of ``usd`` is 19.99, of ``jpy`` it is 1999. Codes are in lower case.
"""

_DIGITS = {
    0: "bif clp djf gnf isk jpy kmf krw pyg rwf ugx vnd vuv xaf xof xpf",
    2: "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd btn bwp byn bzd cad cdf "
    "chf cny cop crc cup cve czk dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gtq gyd hkd hnl "
    "htg huf idr ils inr irr jmd kes kgs khr kpw kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop "
    "mru mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd "
    "scr sdg sek sgd shp sle sos srd ssp stn svc syp szl thb tjs tmt top try ttd twd tzs uah usd uyu uzs "
    "ved ves wst xcd xcg yer zar zmw zwg",
    3: "bhd iqd jod kwd lyd omr tnd",
}
EXPONENTS = {code: digits for digits, codes in _DIGITS.items() for code in codes.split()}
"""Each currency with the digits of its minor unit."""


def exponent(currency: str) -> int:
    """How many digits the minor unit of ``currency`` has. Raises ``ValueError`` for what is no currency."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise ValueError(f"'{currency}' is no currency of ISO 4217") from None


def written(amount: int, currency: str) -> str:
    """``19.99 USD`` for 1999 of ``usd``: exact, for people."""
    digits = exponent(currency)
    sign, text = "-" if amount < 0 else "", f"{abs(amount):0{digits + 1}d}"
    number = f"{text[:-digits]}.{text[-digits:]}" if digits else text
    return f"{sign}{number} {currency.upper()}"
