"""The retailer's loyalty: a club for its customers, one for its staff, and some gift cards.

What members have comes by itself: the purchases of the world earn when commerce follows the river.
"""

from __future__ import annotations

from cauce.app import Platform
from cauce.commerce.loyalty import api
from cauce.commerce.loyalty.programmes import ApplyProgramme
from cauce.commerce.loyalty.value import api as value
from cauce.commerce.loyalty.value.cards import IssueCard
from cauce.commerce.loyalty.value.numbers import fresh, number_hash, pin_hash

BY = "cauce"
CLUB = """\
programme: club
name: Club Ribera
description: Un punto por cada euro, en tienda, en la web y en la app.
currency: EUR
timezone: Europe/Madrid
members: [loyalty, user_id, email]
earn:
  - {name: Un punto por euro, points: 1, per: 1}
  - {name: Zapatos con premio, points: 20, per: item, categories: [zapatos]}
  - {name: Gracias por opinar, event: Survey Answered, points: 25}
multipliers:
  - {name: Martes dobles, times: 2, weekdays: [tue]}
exclude: {categories: [tarjetas regalo]}
day_points_max: 2000
lots:
  start_days: 1
  expire: {months: 12}
tiers:
  by: amount
  window: {months: 12}
  grace_days: 30
  levels:
    - {tier: orilla, name: Orilla, entry: 0}
    - {tier: corriente, name: Corriente, entry: 150, keep: 100, bonus: 1.25, benefits: [Arreglos gratis]}
    - {tier: cauce, name: Cauce, entry: 400, keep: 300, bonus: 1.5, benefits: [Arreglos gratis, Envío en el día]}
rewards:
  - {reward: cafe, name: Un café, points: 50, description: En la cafetería de cualquier tienda.}
  - {reward: vale-5, name: Vale de 5 €, points: 200, value: 5}
  - {reward: bolsa, name: Bolsa de lona, points: 120, stock: 250}
  - {reward: vale-25, name: Vale de 25 €, points: 800, value: 25, tiers: [corriente, cauce]}
  - {reward: probador, name: Una hora con estilista, points: 300, each_member: 1, tiers: [cauce]}
"""
STAFF = """\
programme: equipo
name: Equipo
description: Para quienes trabajan en la casa.
currency: EUR
timezone: Europe/Madrid
members: [user_id]
earn:
  - {name: Cinco puntos por compra en tienda, points: 5, per: purchase, channels: [store]}
lots: {expire: {end_of_year: 0}}
rewards:
  - {reward: comida, name: Una comida, points: 50}
"""
CARDS = ((5_000, "demo-1"), (2_500, "demo-2"), (10_000, "demo-3"))
"""Amounts in cents, and what their numbers are made from."""


def furnish(platform: Platform) -> None:
    """Applies both programmes and issues the cards; once, however often it is called."""
    commerce = platform.commerce
    known = api.programmes_of(commerce.reader)
    for code, document in (("club", CLUB), ("equipo", STAFF)):
        if code not in known:
            commerce.do(ApplyProgramme(document=document, by=BY))
    for amount, key in CARDS:
        made = fresh(platform.secret, key)
        if value.find(commerce.reader, platform.secret, made.number) is None:
            hashed = number_hash(platform.secret, made.number)
            pin = pin_hash(platform.secret, hashed, made.pin)
            last = made.number[-4:]
            commerce.do(IssueCard(amount=amount, currency="EUR", number=hashed, pin=pin, last=last, by=BY))
