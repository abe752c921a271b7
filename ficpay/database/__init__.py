"""PostgreSQL as FicPay speaks to it: Django's backend, on connections that do not wait for ever."""
