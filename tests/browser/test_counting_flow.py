"""A shelf is counted with the camera of a phone: a barcode, again and again, and saved once."""

from __future__ import annotations

import pytest

from cauce.commerce.catalogue.api import Product
from cauce.commerce.catalogue.products import PutProduct
from tests.browser.conftest import served_over
from tests.console import desk

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CAMERA = """
window.BarcodeDetector = class {
  static async getSupportedFormats() { return ["ean_13", "qr_code"]; }
  constructor({ formats }) { this.formats = formats; }
  async detect() { return this.formats.includes("ean_13") ? [{ rawValue: "8412345678905" }] : []; }
};
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d").fillRect(0, 0, 64, 64);
  return canvas.captureStream();
};
"""


def test_a_barcode_is_scanned_until_all_are_counted(tmp_path, visiting):
    with served_over(tmp_path / "data") as served:
        desk.busy(served.platform)
        coat = Product(sku="ABR-1", names={"en": "Coat"}, gtins=("8412345678905",))
        served.platform.commerce.do(PutProduct(product=coat))
        with visiting(served, "store_staff", width=390, language="en", scheme="light") as page:
            page.add_init_script(CAMERA)
            page.goto("/stock/counts?place=MAD")
            for pieces in (1, 2):
                page.get_by_role("button", name="Scan").click()
                page.locator(f"input[name='n-ABR-1'][value='{pieces}']").wait_for()
                assert page.evaluate("document.activeElement.name") == "code"
            page.get_by_role("button", name="Save the count").click()
            page.get_by_text("1 product has been counted.").wait_for()
