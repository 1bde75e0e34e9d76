"""Check digits, units, money: what is right is stored in one form, what is wrong is refused with what is right."""

from __future__ import annotations

import pytest
from babel.numbers import get_currency_precision
from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean

from cauce.commerce.catalogue.api import exponent, gtin_or_none, is_whole, minor, written
from cauce.commerce.catalogue.rules import codes, money
from cauce.errors import DefinitionInvalid
from cauce.testing.world.products import check_digit

bodies = st.sampled_from([7, 11, 12, 13]).flatmap(
    lambda digits: st.text("0123456789", min_size=digits, max_size=digits)
)


@given(bodies)
def test_a_gtin_of_any_length_has_fourteen_digits_and_its_own_check_digit(body: str) -> None:
    gtin = body + check_digit(body)
    assert codes.gtin14(gtin) == gtin.zfill(14) == gtin_or_none(gtin)
    assert codes.gtin14(f" {gtin[:3]}-{gtin[3:]} ") == gtin.zfill(14)


@given(bodies, st.integers(1, 9))
def test_a_wrong_check_digit_is_told_with_the_right_one(body: str, off: int) -> None:
    right = check_digit(body)
    wrong = body + str((int(right) + off) % 10)
    assert gtin_or_none(wrong) is None
    with pytest.raises(DefinitionInvalid, match=f"to be {right}, got {wrong[-1]}"):
        codes.gtin14(wrong)


@given(st.text(max_size=20))
def test_any_other_text_is_no_gtin(text: str) -> None:
    if gtin_or_none(text) is None and not ean.is_valid(text):
        with pytest.raises(DefinitionInvalid):
            codes.gtin14(text)


def test_digits_of_other_scripts_are_no_gtin() -> None:
    assert gtin_or_none("٨٤٣١٢٠٠٠٠٠٠٠٢") is None
    with pytest.raises(DefinitionInvalid):
        codes.gtin14("٨٤٣١٢٠٠٠٠٠٠٠٢")


def test_a_gln_has_thirteen_digits_and_a_check_digit() -> None:
    assert codes.gln("8412345000019"[:12] + check_digit("841234500001")) == "841234500001" + check_digit("841234500001")
    with pytest.raises(DefinitionInvalid, match="GLN of 13 digits"):
        codes.gln("84123456")


@pytest.mark.parametrize(
    ("currency", "text", "amount"), [("JPY", "1500", 1500), ("EUR", "12.95", 1295), ("KWD", "1.234", 1234)]
)
def test_money_has_the_exponent_of_its_currency(currency: str, text: str, amount: int) -> None:
    assert minor(text, currency) == amount
    assert written(amount, currency) == text


@given(st.integers(0, 10**12), st.sampled_from(["JPY", "EUR", "KWD", "CLF", "ISK", "BHD"]))
def test_an_amount_is_read_as_it_was_written(amount: int, currency: str) -> None:
    assert minor(written(amount, currency), currency) == amount


@pytest.mark.parametrize(
    ("currency", "text"),
    [("EUR", "12.955"), ("JPY", "1.5"), ("EUR", "12,95"), ("EUR", "-1"), ("EUR", "1e3"), ("EUR", ""), ("EUR", "1_0")],
)
def test_an_amount_that_is_not_exact_is_refused(currency: str, text: str) -> None:
    with pytest.raises(DefinitionInvalid):
        minor(text, currency)


def test_zeros_behind_the_last_decimal_say_nothing() -> None:
    assert minor("12.9500", "EUR") == 1295
    assert minor("1500.00", "JPY") == 1500


def test_exponents_are_those_of_payments_and_not_of_display() -> None:
    assert exponent("IQD") == 3 != get_currency_precision("IQD")
    shown_alike = {"EUR", "USD", "GBP", "JPY", "KWD", "BHD", "CLF", "CHF", "MXN", "KRW", "VND", "TND"}
    assert {code: exponent(code) for code in shown_alike} == {
        code: get_currency_precision(code) for code in shown_alike
    }


def test_a_currency_that_is_none_is_refused_with_the_nearest() -> None:
    assert money.currency("eur") == "EUR"
    with pytest.raises(DefinitionInvalid, match="ISO 4217"):
        money.currency("E")


def test_units_are_codes_or_usual_words() -> None:
    assert codes.unit("kg") == "KGM"
    assert codes.unit("Piece") == codes.unit("H87") == "H87"
    assert codes.unit("mtq") == "MTQ"
    assert is_whole("H87")
    assert not is_whole("KGM")
    with pytest.raises(DefinitionInvalid, match="H87 or KGM"):
        codes.unit("a handful")


@pytest.mark.parametrize("tag", ["es", "pt-BR", "zh-Hant-TW", "es-419"])
def test_languages_are_those_of_bcp_47(tag: str) -> None:
    assert codes.language(tag) == tag


@pytest.mark.parametrize("tag", ["", "español", "ES", "es_ES", "xx-YY-zz"])
def test_what_is_no_language_is_refused(tag: str) -> None:
    with pytest.raises(DefinitionInvalid, match="language"):
        codes.language(tag)


def test_a_country_is_one_and_no_group_of_them() -> None:
    assert codes.country("es") == "ES"
    for text in ("EU", "Spain", "", "ZZ"):
        with pytest.raises(DefinitionInvalid, match="ISO 3166"):
            codes.country(text)


def test_a_time_zone_that_is_misspelt_is_refused_with_the_nearest() -> None:
    assert codes.zone("Atlantic/Canary") == "Atlantic/Canary"
    with pytest.raises(DefinitionInvalid, match="Europe/Madrid"):
        codes.zone("Europe/Madird")
