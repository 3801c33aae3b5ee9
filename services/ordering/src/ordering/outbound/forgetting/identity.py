"""Whether two phone numbers, or two names, are one guest's, however they are written."""

import unicodedata


def is_same_phone(one: str, other: str) -> bool:
    """Whether these are one phone number; without a digit a text is nobody's."""
    return bool(digits_of(one)) and digits_of(one) == digits_of(other)


def is_same_name(one: str, other: str) -> bool:
    """Whether these are one name; a text of blanks is nobody's."""
    return bool(plain_name(one)) and plain_name(one) == plain_name(other)


def digits_of(phone: str) -> str:
    """A phone number, however it is written; `+39` and `0039` are the same."""
    plain = unicodedata.normalize("NFKC", phone).strip()
    digits = "".join(str(unicodedata.digit(each)) for each in plain if each.isdigit())
    return digits if plain.startswith("+") else digits.removeprefix("00")


def plain_name(customer: str) -> str:
    """A name, without regard to case, to blanks, and to how its letters are composed."""
    return " ".join(unicodedata.normalize("NFKC", customer).casefold().split())
