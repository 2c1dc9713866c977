// Package testdata holds the corpus that the tests and the rehearsal share. It
// knows no code: what a file must lead to is said by the folder that it lies in.
package testdata

import "embed"

// Files holds events/{guarded,ignored}/*.json and policies/LEVEL/*.json.
//
//go:embed events policies
var Files embed.FS
