"""Names, streets and cities of a Spanish-speaking clientele: raw material for people and their addresses."""

from __future__ import annotations

from typing import NamedTuple


class Given(NamedTuple):
    """A given name, its gender (*female, male*), and the short forms under which the same person also appears."""

    name: str
    gender: str
    short: tuple[str, ...] = ()


GIVEN: tuple[Given, ...] = (
    Given("María Carmen", "female", ("Mari Carmen", "Carmen")),
    Given("Josefa", "female", ("Pepa", "Fina")),
    Given("Dolores", "female", ("Lola", "Loli")),
    Given("Francisca", "female", ("Paca", "Paqui")),
    Given("Isabel", "female", ("Isa", "Chabela")),
    Given("María Teresa", "female", ("Maite", "Tere")),
    Given("Ana Isabel", "female", ("Ana", "Anabel")),
    Given("Laura", "female"),
    Given("Lucía", "female", ("Luci",)),
    Given("Marta", "female"),
    Given("Paula", "female", ("Pau",)),
    Given("Pilar", "female", ("Pili",)),
    Given("Concepción", "female", ("Concha", "Conchi")),
    Given("Rosario", "female", ("Charo",)),
    Given("Mercedes", "female", ("Merche",)),
    Given("Montserrat", "female", ("Montse",)),
    Given("Nuria", "female"),
    Given("Beatriz", "female", ("Bea",)),
    Given("Silvia", "female"),
    Given("Sofía", "female", ("Sofi",)),
    Given("Guadalupe", "female", ("Lupe",)),
    Given("Ximena", "female", ("Xime",)),
    Given("Valentina", "female", ("Vale",)),
    Given("Elena", "female"),
    Given("Cristina", "female", ("Cris",)),
    Given("Raquel", "female"),
    Given("José", "male", ("Pepe",)),
    Given("Francisco", "male", ("Paco", "Fran", "Curro")),
    Given("Antonio", "male", ("Toni", "Toño")),
    Given("Manuel", "male", ("Manolo", "Manu")),
    Given("José Luis", "male", ("Joselu",)),
    Given("Juan Carlos", "male", ("Juanca",)),
    Given("José Antonio", "male", ("Joseán",)),
    Given("Ignacio", "male", ("Nacho",)),
    Given("Jesús", "male", ("Chus", "Chuy")),
    Given("Javier", "male", ("Javi",)),
    Given("Alejandro", "male", ("Álex", "Jandro")),
    Given("Daniel", "male", ("Dani",)),
    Given("Rafael", "male", ("Rafa",)),
    Given("Miguel Ángel", "male", ("Miguel",)),
    Given("Enrique", "male", ("Quique",)),
    Given("Eduardo", "male", ("Edu",)),
    Given("Fernando", "male", ("Nando",)),
    Given("Guillermo", "male", ("Guille",)),
    Given("Santiago", "male", ("Santi",)),
    Given("Pablo", "male"),
    Given("Sergio", "male"),
    Given("Álvaro", "male"),
    Given("Hugo", "male"),
    Given("Mateo", "male"),
    Given("Joaquín", "male", ("Quino",)),
    Given("Iván", "male"),
)

_SURNAMES = """
García|Rodríguez|González|Fernández|López|Martínez|Sánchez|Pérez|Gómez|Martín|Jiménez|Hernández|Ruiz|Díaz
|Moreno|Muñoz|Álvarez|Romero|Gutiérrez|Alonso|Navarro|Torres|Domínguez|Ramos|Vázquez|Ramírez|Gil|Serrano
|Molina|Blanco|Morales|Suárez|Ortega|Delgado|Castro|Ortiz|Marín|Rubio|Núñez|Medina|Sanz|Castillo|Iglesias
|Cortés|Garrido|Santos|Guerrero|Lozano|Cano|Cruz|Méndez|Flores|Prieto|Herrera|Peña|León|Márquez|Cabrera
|Gallego|Calvo|Vidal|Campos|Reyes|Vega|Fuentes|Carrasco|Aguilar|Caballero|Nieto|Santana|Pascual|Herrero
|Montero|Hidalgo|Giménez|Ibáñez|Ferrer|Durán|Santiago|Vargas|Mora|Benítez|Arias|Carmona|Crespo|Soto|Roman
|Pastor|Velasco|Sáez|Soler|Moya|Esteban|Parra|Bravo|Gallardo|Rojas|Pardo|Merino|Franco|Espinosa|Izquierdo
|Lara|Rivera|de la Fuente|de la Cruz|del Río|de León|de la Torre|del Valle|Echeverría|Aguirre|Goikoetxea
|Puig|Serra|Ribas|Castells|Lago
"""
SURNAMES: tuple[str, ...] = tuple(_SURNAMES.replace("\n", "").split("|"))

STREETS: tuple[str, ...] = (
    "Calle Mayor",
    "Calle Real",
    "Avenida de la Constitución",
    "Calle del Carmen",
    "Paseo de la Alameda",
    "Calle San José",
    "Plaza de España",
    "Calle Nueva",
    "Avenida de Andalucía",
    "Calle Cervantes",
    "Ronda de Atocha",
    "Calle Goya",
    "Calle Colón",
    "Camino Viejo",
    "Calle de la Iglesia",
    "Avenida del Mediterráneo",
)


class City(NamedTuple):
    """A city, how many of a hundred customers live there, its country and the beginning of postcodes and landlines."""

    name: str
    weight: int
    country: str
    postcode: str
    landline: str


CITIES: tuple[City, ...] = (
    City("Madrid", 22, "ES", "28", "+3491"),
    City("Barcelona", 18, "ES", "08", "+3493"),
    City("Valencia", 10, "ES", "46", "+34963"),
    City("Sevilla", 9, "ES", "41", "+34954"),
    City("Zaragoza", 7, "ES", "50", "+34976"),
    City("Málaga", 7, "ES", "29", "+34952"),
    City("Murcia", 5, "ES", "30", "+34968"),
    City("Palma", 4, "ES", "07", "+34971"),
    City("Bilbao", 6, "ES", "48", "+34944"),
    City("A Coruña", 4, "ES", "15", "+34981"),
    City("Ciudad de México", 3, "MX", "06", "+5255"),
    City("Buenos Aires", 3, "AR", "C1", "+54114"),
    City("Bogotá", 2, "CO", "11", "+576013"),
)

EMAIL_DOMAINS: tuple[str, ...] = (
    "gmail.com",
    "gmail.com",
    "gmail.com",
    "hotmail.com",
    "hotmail.es",
    "yahoo.es",
    "outlook.es",
    "icloud.com",
    "telefonica.net",
    "correo.example",
)
