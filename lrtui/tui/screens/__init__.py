"""The screens: picker, race, and what asks or explains over them."""
