"""Pure rules of the catalogue: codes and their check digits, money, which price holds, opening hours, distances."""
