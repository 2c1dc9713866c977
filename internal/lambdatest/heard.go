package lambdatest

import "net/http"

// Heard is a call that was carried out or refused, as whoever records calls sees
// it.
type Heard struct {
	Call
	Parameters map[string]string // as the API spells them; objects are JSON, lists are left out
	Answer     string            // JSON; "" if there is none, or the call was refused
	Header     http.Header       // of the call
	Address    string            // of the caller, host:port; "" for a client in the same process
}

// hear tells of a call, after it was carried out and before it is answered.
func (a *Account) hear(r *http.Request, c Call, in parameters, status int, out any, err *apiError) {
	if a.Hear == nil {
		return
	}
	h := Heard{Call: c, Parameters: in, Header: r.Header, Address: r.RemoteAddr}
	h.Status = status
	switch {
	case err != nil:
		h.Status = err.status
	case out != nil:
		h.Answer = compact(out)
	}
	a.Hear(h)
}
