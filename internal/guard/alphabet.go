package guard

import "strings"

const (
	lower   = "abcdefghijklmnopqrstuvwxyz"
	upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	letters = lower + upper
	digits  = "0123456789"
	graphic = letters + digits + "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" // ASCII less space
)

// only reports whether text has characters, and none but those of the alphabet.
func only(text, alphabet string) bool { return text != "" && strings.Trim(text, alphabet) == "" }
