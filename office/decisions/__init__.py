"""What staff decide: pages with a form, what it will change, and one service call once that is confirmed."""
