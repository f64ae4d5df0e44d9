"""Check country codes, and look up how much CO2 the electricity of a country causes."""

from __future__ import annotations

from functools import cache

from detreduce.errors import InputError, nearest


def check_country(code: str) -> str:
    """Return the country code in upper case. Raise InputError if codecarbon does not know the country's electricity
    mix.
    """
    upper = str(code).strip().upper()
    known = _known_countries()
    if known and upper not in known:
        raise InputError(
            f"Country {code!r}: the electricity mix is unknown. Use an ISO code of three letters, for example ESP."
            f"{nearest(upper, known)}"
        )
    return upper


def carbon_intensity(country: str) -> str:
    """Return a sentence with the CO2 per kWh of a country's electricity, and the source of this number."""
    from importlib.metadata import version

    from codecarbon.input import DataSource

    mix = DataSource().get_global_energy_mix_data().get(country, {})
    grams, year = mix.get("carbon_intensity"), mix.get("year")
    source = f"the table of electricity mixes in codecarbon {version('codecarbon')}"
    if grams is None:
        return f"CO2: from the electricity mix of {country} in {source}."
    return f"CO2: {grams:g} g/kWh, the mean of {mix.get('country_name', country)} in {year}, from {source}."


@cache
def _known_countries() -> frozenset[str]:
    try:
        from codecarbon.input import DataSource

        return frozenset(DataSource().get_global_energy_mix_data())
    except Exception:  # without this list, codes are not checked here, and the tracker reports a wrong code later
        return frozenset()
