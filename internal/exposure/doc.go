// Package exposure judges how far a Lambda resource policy opens its resource: it
// looks for a request that a stranger can really make and that the policy allows,
// and returns it as the witness. It does not know where policies come from, what is
// done about a verdict, or anything of a caller but what a condition key can hold.
//
// The table of condition keys is in keys.go, of operators in operators.go, of
// actions in actions.go, of reason codes in reasons.go. Judge tries each statement
// against each kind of stranger (judge.go); the request is put together, one value
// a key, in search.go from the candidates of candidates.go.
package exposure
