"""labrig inside Molecule: a driver whose machines are labrig's, and a verifier that looks at their states."""
