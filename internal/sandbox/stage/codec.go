package stage

import "errors"

// codec writes a Spec to bytes or reads it from them, with one description of
// the order for both. Numbers are 8 bytes, little-endian.
type codec struct {
	buf     []byte
	reading bool
	short   bool // the bytes ended too early
}

// Encode turns a Spec into bytes.
func Encode(s *Spec) []byte {
	var c codec
	c.spec(s)
	return c.buf
}

// Decode is the inverse of Encode. It returns an error for bytes that Encode
// has not written.
func Decode(b []byte) (*Spec, error) {
	c := codec{buf: b, reading: true}
	var s Spec
	c.spec(&s)
	if c.short || len(c.buf) != 0 {
		return nil, errors.New("the description of the sandbox is damaged")
	}
	return &s, nil
}

func (c *codec) spec(s *Spec) {
	c.text(&s.Program)
	list(c, &s.Args, c.text)
	list(c, &s.Limits, func(l *Limit) { c.number(&l.Resource); c.number(&l.Value) })
	filter := string(s.Filter)
	c.text(&filter)
	if c.reading && filter != "" {
		s.Filter = []byte(filter)
	}
	optional(c, &s.Root, func(r *Root) {
		c.number(&r.UID)
		c.number(&r.GID)
		c.flag(&r.DropGroups)
		list(c, &r.Mounts, func(m *Mount) {
			c.text(&m.Source)
			c.text(&m.Target)
			c.flag(&m.Folder)
			c.flag(&m.Device)
			c.flag(&m.Execute)
		})
		list(c, &r.Files, func(f *File) { c.text(&f.Path); c.text(&f.Content) })
		c.number(&r.TmpBytes)
	})
	optional(c, &s.Landlock, func(l *Landlock) {
		c.number(&l.FS)
		c.number(&l.Net)
		c.number(&l.Scoped)
		list(c, &l.Rules, func(r *Rule) { c.text(&r.Path); c.number(&r.Access); c.flag(&r.Pin) })
	})
}

func (c *codec) number(v *uint64) {
	if !c.reading {
		for i := range 8 {
			c.buf = append(c.buf, byte(*v>>(8*i)))
		}
		return
	}
	*v = 0
	if len(c.buf) < 8 {
		c.short, c.buf = true, nil
		return
	}
	for i := range 8 {
		*v |= uint64(c.buf[i]) << (8 * i)
	}
	c.buf = c.buf[8:]
}

func (c *codec) text(s *string) {
	n := uint64(len(*s))
	c.number(&n)
	if !c.reading {
		c.buf = append(c.buf, *s...)
		return
	}
	if n > uint64(len(c.buf)) {
		c.short, c.buf = true, nil
		return
	}
	*s, c.buf = string(c.buf[:n]), c.buf[n:]
}

func (c *codec) flag(b *bool) {
	var n uint64
	if *b {
		n = 1
	}
	c.number(&n)
	*b = n == 1
}

func list[T any](c *codec, items *[]T, each func(*T)) {
	n := uint64(len(*items))
	c.number(&n)
	if !c.reading {
		for i := range *items {
			each(&(*items)[i])
		}
		return
	}
	for ; n > 0 && !c.short; n-- {
		var item T
		each(&item)
		*items = append(*items, item)
	}
}

func optional[T any](c *codec, value **T, each func(*T)) {
	there := *value != nil
	c.flag(&there)
	if !there {
		return
	}
	if c.reading {
		*value = new(T)
	}
	each(*value)
}
