"""`make wide`: two machines of FicPay, PgBouncer, and a standby that takes over while payments flow."""
