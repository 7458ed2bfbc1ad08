"""Where the MAC of a signature differs, what the others of its data set tell about which elements were changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reference_impl.signatures.results import SignatureResult, Standing

_MOST_NAMED = 12


def narrowed(result: SignatureResult, all_of_level: Sequence[SignatureResult]) -> SignatureResult:
    """`result`, whose MAC differs, with what the other signatures of its data set tell of the elements it lists."""
    general = next((each for each in result.reasons if each.code == "mac-differs"), None)
    if general is None:
        return result
    prefix = f"{result.location}." if result.location else ""
    intact: set[str] = set()
    for other in all_of_level:
        if other.mac is Standing.VALID and not other.variant:
            intact |= set(other.signed) - set(other.forbidden)
    suspects = [tag for tag in result.signed if tag not in intact and tag not in result.forbidden]
    gone = [tag for tag in suspects if tag in result.absent]
    text = general.text
    if gone:
        text += f"; listed and not there: {_named(gone)}"
    if intact & set(result.signed):
        text += f"; another signature shows that these are as they were: {_named(sorted(intact & set(result.signed)))}"
        if not suspects:
            text += ", so it is the signature's own item, or its list, that was changed"
    place = ", ".join(prefix + tag for tag in suspects) if 0 < len(suspects) <= _MOST_NAMED else general.place
    narrowed = replace(general, text=text, place=place)
    return replace(result, reasons=tuple(narrowed if each is general else each for each in result.reasons))


def _named(tags: Sequence[str]) -> str:
    more = f" and {len(tags) - _MOST_NAMED} more" if len(tags) > _MOST_NAMED else ""
    return ", ".join(tags[:_MOST_NAMED]) + more
