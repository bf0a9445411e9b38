// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"encoding/json"
	"strconv"
	"strings"
)

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
