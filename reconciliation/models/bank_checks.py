"""How far each bank has been asked about our books."""

from django.db import models


class BankCheck(models.Model):
    """One row a bank, changed after each batch: a check that is killed goes on from here."""

    bank = models.CharField(max_length=32, primary_key=True)
    # The bank was asked about every success up to this event's id.
    position = models.BigIntegerField(default=0)
    # Operations (hex) up to there that the bank gave no clear reply about: they are asked about first.
    unclear = models.JSONField(default=list)

    def __str__(self) -> str:
        return self.bank
