"""`make soak`: shoppers at a FicPay whose bank, database and processes are disturbed; then the books."""
