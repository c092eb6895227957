"""Mask personal data: phone, identity card and bank card numbers, e-mail addresses.

Numbers are masked only if they can be what they look like: identity cards need a valid date and
check digit (GB 11643-1999), bank cards a valid Luhn check digit (ISO/IEC 7812) and the first digit
of a card, mobile numbers a prefix in use. The placeholders hold no hanzi, so they end a run.
"""

from __future__ import annotations

import re
from typing import Final

from yinzi_train.corpus.blocks import TextFormatter

__all__ = [
    "PLACEHOLDERS",
    "PersonalDataMasker",
    "is_bank_card_number",
    "is_identity_card_number",
]

PLACEHOLDERS: Final = ("<phone>", "<id>", "<card>", "<email>")

_SUSPECT: Final = re.compile(r"@|\d[\d \-()]{5}\d")
_EMAIL: Final = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,12}"
    r"(?![A-Za-z0-9])"
)
_IDENTITY: Final = re.compile(r"(?<![0-9A-Za-z])(?:\d{17}[\dXx]|\d{15})(?![0-9A-Za-z])")
_CARD: Final = re.compile(
    r"(?<![0-9A-Za-z.-])[2-6]\d{3}(?:[ -]?\d{4}){2,3}(?:[ -]?\d{1,3})?(?![\d-])"
)
_PHONE: Final = re.compile(
    r"(?<![0-9A-Za-z._-])(?:\+?86[ -]?)?"
    r"(?:1[3-9]\d[ -]?\d{4}[ -]?\d{4}"  # mobile
    r"|0(?:10|2\d|[3-9]\d{2})[ -]?[2-9]\d{6,7}(?:[ -]\d{2,5})?"  # landline with area code
    r"|\(0(?:10|2\d|[3-9]\d{2})\) ?[2-9]\d{6,7}(?:[ -]\d{2,5})?)"
    r"(?![0-9A-Za-z]|[.-]\d)"
)
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS: Final = "10X98765432"
_DATE: Final = re.compile(
    r"(?:1[89]|20)\d{2}(?:(?:0[13578]|1[02])(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)(?:0[1-9]|[12]\d|30)|02(?:0[1-9]|[12]\d))"
)
_FIRST_PROVINCE, _LAST_PROVINCE = 11, 91


class PersonalDataMasker(TextFormatter):
    """Replace personal data by placeholders."""

    name = "personal data"

    def format(self, text: str) -> str:
        """Return the text with placeholders.

        >>> mask = PersonalDataMasker().format
        >>> mask("打13812345678或010-62345678，邮箱li.lei@example.com")
        '打<phone>或<phone>，邮箱<email>'
        >>> mask("身份证11010519491231002X，卡号6222 0212 3456 7894，订单2023010112345")
        '身份证<id>，卡号<card>，订单2023010112345'
        """
        if not _SUSPECT.search(text):
            return text
        if "@" in text:
            text = _EMAIL.sub("<email>", text)
        text = _IDENTITY.sub(_mask_identity, text)
        text = _CARD.sub(_mask_card, text)
        return _PHONE.sub("<phone>", text)


def _mask_identity(match: re.Match[str]) -> str:
    return "<id>" if is_identity_card_number(match[0]) else match[0]


def _mask_card(match: re.Match[str]) -> str:
    return "<card>" if is_bank_card_number(match[0]) else match[0]


def is_identity_card_number(number: str) -> bool:
    """Tell whether a text is a number of an identity card, of 18 digits or the older 15.

    >>> is_identity_card_number("11010519491231002X"), is_identity_card_number("110105194912310021")
    (True, False)
    """
    if not re.fullmatch(r"\d{17}[\dXx]|\d{15}", number):
        return False
    if not _FIRST_PROVINCE <= int(number[:2]) <= _LAST_PROVINCE:
        return False
    if len(number) == 15:
        return bool(_DATE.fullmatch("19" + number[6:12]))
    total = sum(int(d) * w for d, w in zip(number[:17], _WEIGHTS, strict=True))
    return bool(_DATE.fullmatch(number[6:14])) and _CHECK_DIGITS[total % 11] == number[17].upper()


def is_bank_card_number(number: str) -> bool:
    """Tell whether a text is a number of 13 to 19 digits with a valid Luhn check digit.

    Blanks and hyphens between digits are allowed.

    >>> is_bank_card_number("4111-1111-1111-1111"), is_bank_card_number("4111111111111112")
    (True, False)
    """
    digits = re.sub(r"[ -]", "", number)
    if not (digits.isascii() and digits.isdigit() and 13 <= len(digits) <= 19):
        return False
    total = sum(map(int, digits[-1::-2]))
    total += sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return total % 10 == 0
