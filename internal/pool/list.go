package pool

import "iter"

// list is a doubly linked list whose elements live inside what they link, so
// that moving an instance between lists allocates nothing. The zero value is
// an empty list.
type list[T any] struct {
	head, tail *elem[T]
	n          int
}

// elem links v into at most one list at a time.
type elem[T any] struct {
	prev, next *elem[T]
	in         *list[T]
	v          T
}

func (l *list[T]) pushFront(e *elem[T]) {
	e.remove()
	e.in, e.next = l, l.head
	if l.head == nil {
		l.tail = e
	} else {
		l.head.prev = e
	}
	l.head = e
	l.n++
}

func (l *list[T]) pushBack(e *elem[T]) {
	e.remove()
	e.in, e.prev = l, l.tail
	if l.tail == nil {
		l.head = e
	} else {
		l.tail.next = e
	}
	l.tail = e
	l.n++
}

// remove takes e out of the list it is in, if it is in one.
func (e *elem[T]) remove() {
	l := e.in
	if l == nil {
		return
	}
	if e.prev == nil {
		l.head = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		l.tail = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.prev, e.next, e.in = nil, nil, nil
	l.n--
}

// all yields the list front to back; the element just yielded may be removed.
func (l *list[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		for e := l.head; e != nil; {
			next := e.next
			if !yield(e.v) {
				return
			}
			e = next
		}
	}
}
