"""The account page of the person who is signed in in this browser: /me and its forms."""
