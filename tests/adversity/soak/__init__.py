"""`make soak`: shoppers at a FicPay whose banks, database and processes are disturbed; then the books."""
