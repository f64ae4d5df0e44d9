"""Countries whose electricity mix converts energy to CO2."""

from __future__ import annotations

from functools import cache

from detreduce.errors import InputError, nearest


def check_country(code: str) -> str:
    """Return the upper-case code; raise InputError if codecarbon has no electricity mix for it."""
    upper = str(code).strip().upper()
    known = _known_countries()
    if known and upper not in known:
        raise InputError(
            f"Country {code!r}: its electricity mix is not known; give an ISO code of three letters, such as ESP."
            f"{nearest(upper, known)}"
        )
    return upper


def carbon_intensity(country: str) -> str:
    """Return a sentence with the CO2 per kWh of a country's electricity, and the source of that figure."""
    from importlib.metadata import version

    from codecarbon.input import DataSource

    mix = DataSource().get_global_energy_mix_data().get(country, {})
    grams, year = mix.get("carbon_intensity"), mix.get("year")
    source = f"the table of electricity mixes in codecarbon {version('codecarbon')}"
    if grams is None:
        return f"CO2: by the mix of {country} in {source}."
    return f"CO2: {grams:g} g/kWh, the mean of {mix.get('country_name', country)} in {year}, by {source}."


@cache
def _known_countries() -> frozenset[str]:
    try:
        from codecarbon.input import DataSource

        return frozenset(DataSource().get_global_energy_mix_data())
    except Exception:  # without a list nothing is checked: the tracker reports what it finds
        return frozenset()
