package worker

import (
	"math"
	"time"
)

// The kernel's scheduler does not always take a processor from a thread that
// is behind as soon as another wakes: one that has just run for a little more
// than its due may wait for the next tick, some milliseconds. So while an
// account is behind, the machine is divided: what is behind keeps to some
// processors, and the server with all other workers keeps to the rest, for as
// long as they need no more than that. A machine with one processor has
// nothing to divide.
const (
	// headroom is how many times what was used must fit into the others' part:
	// on a processor that is busy half of the time, too, one waits for another.
	headroom = 5
	// remembered is over how many counts the most that was used counts.
	remembered = 5
)

// division says on which processors who runs. A nil part is all of them.
type division struct {
	behind, others []int
}

// divider decides it anew at each count.
type divider struct {
	all  []int // that the server may use
	used [remembered]float64
	next int
}

// divide returns the division for what the server and all workers that are not
// behind have used in the time since the last count. It notes that always, and
// divides when anyone is behind.
func (d *divider) divide(anyone bool, others, since time.Duration) division {
	d.used[d.next] = others.Seconds() / max(since.Seconds(), 1e-3)
	d.next = (d.next + 1) % remembered
	most := 0.0
	for _, u := range d.used {
		most = max(most, u)
	}
	n := len(d.all)
	if !anyone || n < 2 {
		return division{}
	}
	need := max(1, int(math.Ceil(headroom*most)))
	if need >= n {
		// Others come first everywhere, and one processor is enough for what
		// is left over.
		return division{behind: d.all[n-1:]}
	}
	return division{others: d.all[:need], behind: d.all[need:]}
}

// of is the part of a worker.
func (d division) of(behind bool) []int {
	if behind {
		return d.behind
	}
	return d.others
}

// orAll is a part, or all processors for nil.
func (d *divider) orAll(part []int) []int {
	if part == nil {
		return d.all
	}
	return part
}
