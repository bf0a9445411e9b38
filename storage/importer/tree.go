// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Tree reads a whole value: map[string]any, []any, string, [json.Number], bool
// or nil. It is refused when it holds more than about limit bytes.
func (j *JSON) Tree(limit int) (any, error) {
	t, err := j.Next()
	if err != nil {
		return nil, err
	}
	left := limit
	v, err := j.tree(t, &left)
	if left < 0 {
		err = tooLarge(int64(limit))
	}
	return v, err
}

func (j *JSON) tree(t Token, left *int) (any, error) {
	if *left -= len(j.text) + 32; *left < 0 {
		return nil, ErrStop
	}
	switch t {
	case JSONString:
		return string(j.text), nil
	case JSONNumber:
		return json.Number(j.text), nil
	case JSONTrue, JSONFalse:
		return t == JSONTrue, nil
	case JSONObject:
		return j.treeObject(left)
	case JSONArray:
		return j.treeArray(left)
	}
	return nil, nil
}

func (j *JSON) treeObject(left *int) (any, error) {
	m := map[string]any{}
	*left -= 300 // a map of few
	for {
		t, err := j.Next()
		if err != nil || t == JSONObjectEnd {
			return m, err
		}
		name := j.name()
		*left -= 16 + len(name)
		if t, err = j.Next(); err != nil {
			return nil, err
		}
		if m[name], err = j.tree(t, left); err != nil {
			return nil, err
		}
	}
}

func (j *JSON) treeArray(left *int) (any, error) {
	list := []any{}
	for {
		t, err := j.Next()
		if err != nil || t == JSONArrayEnd {
			return list, err
		}
		v, err := j.tree(t, left)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

// branch is a value of a [JSON.Tree], to walk in without asking at each step
// whether it is there: of what is not, everything is empty.
type branch struct{ v any }

// at goes down a path of names.
func (b branch) at(path ...string) branch {
	for _, name := range path {
		m, _ := b.v.(map[string]any)
		b = branch{m[name]}
	}
	return b
}

// any is the first of some names that is there and not null.
func (b branch) any(names ...string) branch {
	for _, name := range names {
		if found := b.at(name); found.there() {
			return found
		}
	}
	return branch{}
}

func (b branch) there() bool { return b.v != nil }

// list is what is in an array.
func (b branch) list() []branch {
	array, _ := b.v.([]any)
	list := make([]branch, len(array))
	for i, v := range array {
		list[i] = branch{v}
	}
	return list
}

// say is a text, or a number or truth value as it is spelt; "" for what is none.
func (b branch) say() string {
	switch v := b.v.(type) {
	case string:
		return v
	case json.Number:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// names are the names of an object, in capitals and small letters as they come.
func (b branch) names() map[string]any {
	m, _ := b.v.(map[string]any)
	return m
}

// bare is a name as names are compared that files spell in many ways: letters
// and digits only, small.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s)
}

// eachOf reads a JSON file whose member is an array, element by element, or
// which is an array itself when member is "". Other members are skipped.
func (s *Source) eachOf(member string, visit func(line int, b branch) error) error {
	return s.eachOfSome(map[string]func(int, branch) error{member: visit})
}

// eachOfSome is eachOf for several arrays of one file.
func (s *Source) eachOfSome(visits map[string]func(line int, b branch) error) error {
	j, err := s.JSON()
	if err != nil {
		return err
	}
	defer j.Close()
	each := func(visit func(int, branch) error) error {
		return j.Array(func(int) error {
			line := j.lineOfNext()
			v, err := j.Tree(maxSegment)
			if err != nil {
				return err
			}
			return visit(line, branch{v})
		})
	}
	if visit := visits[""]; visit != nil {
		err = each(visit)
	} else {
		err = j.Object(func(name string) error {
			if visit := visits[name]; visit != nil {
				return each(visit)
			}
			return nil
		})
	}
	if err == nil {
		err = j.Finish()
	}
	return err
}

// theTree reads a JSON file that is one value of at most about limit bytes.
func (s *Source) theTree(limit int) (branch, error) {
	j, err := s.JSON()
	if err != nil {
		return branch{}, err
	}
	defer j.Close()
	return j.whole(limit)
}

// whole reads a text that is one value of at most about limit bytes.
func (j *JSON) whole(limit int) (branch, error) {
	v, err := j.Tree(limit)
	if err == nil {
		err = j.Finish()
	}
	return branch{v}, err
}
