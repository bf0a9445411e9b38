// SPDX-License-Identifier: Apache-2.0

package importer

// Skip reads over the next value.
func (j *JSON) Skip() error {
	t, err := j.Next()
	if err != nil {
		return err
	}
	return j.leave(t)
}

// leave reads to the end of a value that began with t.
func (j *JSON) leave(t Token) error {
	if t != JSONObject && t != JSONArray {
		return nil
	}
	for depth := len(j.stack); len(j.stack) >= depth; {
		if _, err := j.Next(); err != nil {
			return err
		}
	}
	return nil
}

// Object reads an object: visit gets each name and reads its value; what it
// does not read is skipped. A null is an object without names. Any other value
// is refused.
func (j *JSON) Object(visit func(name string) error) error {
	return j.inside(JSONObject, func(int) error { return visit(j.name()) })
}

// Array reads an array: visit gets the number of each value from 0 and reads
// it; what it does not read is skipped. A null is an empty array. Any other
// value is refused.
func (j *JSON) Array(visit func(i int) error) error {
	return j.inside(JSONArray, visit)
}

func (j *JSON) inside(want Token, visit func(int) error) error {
	t, err := j.Next()
	if err != nil || t == JSONNull {
		return err
	}
	if t != want {
		return j.wrong("an object or an array where the other should be")
	}
	depth := len(j.stack)
	for i := 0; ; i++ {
		more, err := j.another()
		if err != nil || !more {
			return err
		}
		if err := visit(i); err != nil {
			return err
		}
		if j.state == wantValue && len(j.stack) == depth { // visit has not read it
			if err := j.Skip(); err != nil {
				return err
			}
		}
		if len(j.stack) != depth {
			return j.wrong("a value was left open")
		}
	}
}

// another goes to the next value of what is open: behind its name, in an
// object. false is the end.
func (j *JSON) another() (bool, error) {
	c, err := j.space()
	if err != nil {
		return false, j.cut(err)
	}
	object := j.stack[len(j.stack)-1] == '{'
	if j.state == afterValue && c == ',' && !object {
		j.pos++
		j.state = wantValue
		return true, nil
	}
	if object || c == ']' || j.state == afterValue {
		t, err := j.Next()
		return t == JSONKey, err
	}
	j.state = wantValue // the first of an array, which is there
	return true, nil
}

// name is the key just read, of which each spelling is kept once.
func (j *JSON) name() string {
	if s, ok := j.names[string(j.text)]; ok {
		return s
	}
	s := string(j.text)
	if len(j.names) < 1000 && len(s) < 100 {
		j.names[s] = s
	}
	return s
}

// Scalar reads a text, or a number, true or false as it is spelt; "" for null.
// Of an object or an array, which it skips, it tells only the token.
func (j *JSON) Scalar() (string, Token, error) {
	t, err := j.Next()
	if err != nil {
		return "", t, err
	}
	switch t {
	case JSONString, JSONNumber:
		return string(j.text), t, nil
	case JSONTrue:
		return "true", t, nil
	case JSONFalse:
		return "false", t, nil
	}
	return "", t, j.leave(t)
}

// scalar reads a text or a number without making garbage; nil for anything
// else, which is skipped.
func (j *JSON) scalar() ([]byte, error) {
	t, err := j.Next()
	if err != nil {
		return nil, err
	}
	if t != JSONString && t != JSONNumber {
		return nil, j.leave(t)
	}
	return j.text, nil
}

// lineOfNext is the line on which the next value begins, from 1.
func (j *JSON) lineOfNext() int {
	_, _ = j.space() // the reading of the value meets the same fault
	return j.line
}

// Finish demands that nothing follows the value that was read.
func (j *JSON) Finish() error {
	t, err := j.Next()
	if err == nil && t != JSONEnd {
		err = j.wrong("something follows the end")
	}
	return err
}
