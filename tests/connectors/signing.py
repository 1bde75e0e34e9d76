"""Signed requests, as the senders' own documentation says they are made; nothing here uses what is tested."""

from __future__ import annotations

import base64
import hashlib
import hmac

PUBLIC_URL = "https://cauce.example.com/v1/channels/square/shop"


def base64_hmac(secret: str, content: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()


def stripe_signature(secret: str, body: bytes, timestamp: int) -> str:
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={signed}"


def headers_of(connector: str, secret: str, body: bytes, *, topic: str = "", timestamp: int = 0) -> dict[str, str]:
    """What a sender puts beside its body."""
    if connector == "shopify":
        return {"X-Shopify-Hmac-Sha256": base64_hmac(secret, body), "X-Shopify-Topic": topic}
    if connector == "woocommerce":
        return {"X-WC-Webhook-Signature": base64_hmac(secret, body), "X-WC-Webhook-Topic": topic}
    if connector == "square":
        return {"x-square-hmacsha256-signature": base64_hmac(secret, PUBLIC_URL.encode() + body)}
    return {"Stripe-Signature": stripe_signature(secret, body, timestamp)}
