package main

import (
	"context"
	"errors"
	"iter"
	"time"
)

// schedule is virtual time. It implements [guard.Clock]. Whatever happens, happens
// on one goroutine at a time, in an order that follows from the seed.
//
// Time begins a hundred years from now, so that no deadline of it is ever reached
// on the clock of the machine: they are kept here, where the time passes.
type schedule struct {
	now     time.Time
	agenda  []moment // a heap
	entered int
	running *process
}

// moment is something that is to happen.
type moment struct {
	at    time.Time
	order int // of those at the same time
	do    func()
}

func (m moment) before(other moment) bool {
	return m.at.Before(other.at) || m.at.Equal(other.at) && m.order < other.order
}

// after enters what is to happen when d has passed.
func (s *schedule) after(d time.Duration, do func()) {
	s.entered++
	s.agenda = append(s.agenda, moment{s.now.Add(d), s.entered, do})
	for i := len(s.agenda) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s.agenda[i].before(s.agenda[parent]) {
			break
		}
		s.agenda[i], s.agenda[parent] = s.agenda[parent], s.agenda[i]
		i = parent
	}
}

// next takes out the earliest moment.
func (s *schedule) next() moment {
	first, last := s.agenda[0], len(s.agenda)-1
	s.agenda[0] = s.agenda[last]
	s.agenda[last] = moment{}
	s.agenda = s.agenda[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if s.agenda[child].before(s.agenda[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		s.agenda[i], s.agenda[least] = s.agenda[least], s.agenda[i]
		i = least
	}
}

// run lets the time pass until nothing more is to happen.
func (s *schedule) run() {
	for len(s.agenda) > 0 {
		m := s.next()
		s.now = m.at
		m.do()
	}
}

// process is work that takes time. It hands over to others where it sleeps, and
// only there.
type process struct {
	resume func() (struct{}, bool)
	pause  func(struct{}) bool
	pauses int
	dies   int       // at that pause; 0 is never
	ends   time.Time // then it is killed; zero is never
	attempt
}

// errKilled is the panic of a process that dies: from the outside, it simply
// does not go on.
var errKilled = errors.New("killed")

// start begins work at once, and calls done when it has ended or was killed.
func (s *schedule) start(p *process, work func(), done func(killed bool)) {
	p.resume, _ = iter.Pull(func(pause func(struct{}) bool) {
		p.pause = pause
		killed := true
		defer func() {
			if problem := recover(); problem != errKilled {
				p.panicked = problem
			}
			done(killed)
		}()
		work()
		killed = false
	})
	s.step(p)
}

func (s *schedule) step(p *process) {
	s.running = p
	p.resume()
	s.running = nil
}

// Now implements [guard.Clock].
func (s *schedule) Now() time.Time { return s.now }

// Sleep implements [guard.Clock]: the process that runs hands over.
func (s *schedule) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := s.running
	deadline, ok := ctx.Deadline()
	cut := ok && deadline.Before(s.now.Add(d))
	if cut {
		d = max(0, deadline.Sub(s.now))
	}
	if p.pauses++; p.pauses == p.dies {
		panic(errKilled)
	}
	s.after(d, func() { s.step(p) })
	p.pause(struct{}{})
	switch {
	case !p.ends.IsZero() && !s.now.Before(p.ends):
		panic(errKilled)
	case cut:
		return context.DeadlineExceeded
	}
	return nil
}
