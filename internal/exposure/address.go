package exposure

import (
	"math/big"
	"net/netip"
	"slices"
	"sync"
)

// An aws:SourceIp condition is judged by how much of the Internet it leaves, since
// no stranger has an address of their choice, and every stranger has one in a
// range that is wide enough (R9). AWS draws that line at /8 and /32:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
const (
	widestIPv4Range = 24 // bits of host part in one range
	widestIPv6Range = 96
	widestIPv4Total = 28 // bits, over all ranges: many ranges do what one may not
)

// addresses is a set of IP addresses: ranges in order, that neither overlap nor
// touch.
type addresses []addressSpan

type addressSpan struct{ from, to netip.Addr }

var everyAddress = sync.OnceValue(func() addresses {
	all, _ := parseAddresses([]string{"0.0.0.0/0", "::/0"})
	return all
})

// public is all but what never arrives from outside: private, loopback, link-local,
// carrier-grade, multicast, reserved.
// Source: https://www.iana.org/assignments/iana-ipv6-special-registry, and that of IPv4
var public = sync.OnceValue(func() addresses {
	inside, _ := parseAddresses([]string{
		"0.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "224.0.0.0/3",
		"::/3", "4000::/2", "8000::/1",
	})
	return inside.complement()
})

// parseAddresses returns the union of the ranges, if it could read them all.
func parseAddresses(ranges []string) (set addresses, all bool) {
	for _, r := range ranges {
		p, ok := parseRange(r)
		if !ok {
			return nil, false
		}
		set = append(set, addressSpan{p.Addr(), lastOf(p)})
	}
	return set.normal(), true
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

func (set addresses) normal() addresses {
	slices.SortFunc(set, func(a, b addressSpan) int { return a.from.Compare(b.from) })
	var out addresses
	for _, s := range set {
		if n := len(out); n > 0 && out[n-1].from.Is4() == s.from.Is4() {
			if last := &out[n-1]; s.from.Compare(last.to) <= 0 || last.to.Next() == s.from {
				if s.to.Compare(last.to) > 0 {
					last.to = s.to
				}
				continue
			}
		}
		out = append(out, s)
	}
	return out
}

func (set addresses) union(with addresses) addresses {
	return append(slices.Clone(set), with...).normal()
}

func (set addresses) intersect(with addresses) addresses {
	var out addresses
	for i, k := 0, 0; i < len(set) && k < len(with); {
		a, b := set[i], with[k]
		from, to := a.from, a.to
		if b.from.Compare(from) > 0 {
			from = b.from
		}
		if b.to.Compare(to) < 0 {
			to = b.to
		}
		if a.from.Is4() == b.from.Is4() && from.Compare(to) <= 0 {
			out = append(out, addressSpan{from, to})
		}
		if a.to.Compare(b.to) < 0 {
			i++
		} else {
			k++
		}
	}
	return out
}

func (set addresses) complement() addresses {
	var out addresses
	for _, all := range everyAddress() {
		rest := all
		for _, s := range set {
			if s.from.Is4() != all.from.Is4() {
				continue
			}
			if s.from.Compare(rest.from) > 0 {
				out = append(out, addressSpan{rest.from, s.from.Prev()})
			}
			rest.from = s.to.Next()
		}
		if rest.from.IsValid() && rest.from.Compare(all.to) <= 0 {
			out = append(out, rest)
		}
	}
	return out
}

// stranger returns a public address in a part of the set that is wide enough for
// any stranger to have one there.
func (set addresses) stranger() (netip.Addr, bool) {
	total := new(big.Int)
	var inTotal addresses
	for _, s := range set {
		reachable := addresses{s}.intersect(public())
		if len(reachable) == 0 {
			continue
		}
		size := s.size()
		if s.from.Is4() {
			total.Add(total, size)
			inTotal = append(inTotal, reachable...)
		}
		limit := widestIPv4Range
		if s.from.Is6() {
			limit = widestIPv6Range
		}
		if size.Cmp(new(big.Int).Lsh(big.NewInt(1), uint(limit))) > 0 {
			return reachable.sample(), true
		}
	}
	if total.Cmp(new(big.Int).Lsh(big.NewInt(1), widestIPv4Total)) > 0 {
		return inTotal.sample(), true
	}
	return netip.Addr{}, false
}

func (s addressSpan) size() *big.Int {
	from, to := new(big.Int).SetBytes(s.from.AsSlice()), new(big.Int).SetBytes(s.to.AsSlice())
	return to.Sub(to, from).Add(to, big.NewInt(1))
}

// sample prefers addresses that look like a caller's.
func (set addresses) sample() netip.Addr {
	for _, like := range [...]string{"52.95.110.1", "3.5.140.2", "185.199.108.7", "2600:1f18::7"} {
		a := netip.MustParseAddr(like)
		for _, s := range set {
			if s.from.Compare(a) <= 0 && a.Compare(s.to) <= 0 {
				return a
			}
		}
	}
	if next := set[0].from.Next(); next.IsValid() && next.Compare(set[0].to) <= 0 {
		return next // not the network's own
	}
	return set[0].from
}
