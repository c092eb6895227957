"""Scripts that measure the shipped converter and put it beside other engines; see README.md."""
