// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// ParseJSON reads a value of the field from JSON, or null.
func (f Field) ParseJSON(b []byte) (Value, error) {
	b = bytes.TrimSpace(b)
	if string(b) == "null" {
		return Null, nil
	}
	switch f.Type {
	case Decimal:
		return ParseDec(string(b))
	case Integer:
		n, err := strconv.ParseInt(string(b), 10, 64)
		if err != nil {
			return Null, fmt.Errorf("%q: %w", clip(string(b)), ErrNumber)
		}
		return Int(n), nil
	case Boolean:
		var v bool
		if err := json.Unmarshal(b, &v); err != nil {
			return Null, fmt.Errorf("%q: neither true nor false", clip(string(b)))
		}
		return Bool(v), nil
	case Place:
		return parsePlaceJSON(b)
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return Null, fmt.Errorf("%q: not a text", clip(string(b)))
	}
	return f.ParseText(text)
}

func parsePlaceJSON(b []byte) (Value, error) {
	var p struct{ Lat, Lon *json.Number }
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || p.Lat == nil || p.Lon == nil {
		return Null, fmt.Errorf("%q: not a place, as {\"lat\": 45.7, \"lon\": 4.8} is", clip(string(b)))
	}
	return parsePlace(p.Lat.String(), p.Lon.String())
}

func parsePlace(lat, lon string) (Value, error) {
	y, err := strconv.ParseFloat(lat, 64)
	if err != nil {
		return Null, fmt.Errorf("%q: %w", clip(lat), ErrNumber)
	}
	x, err := strconv.ParseFloat(lon, 64)
	if err != nil {
		return Null, fmt.Errorf("%q: %w", clip(lon), ErrNumber)
	}
	return Degrees(y, x)
}

// ParseText reads a value of the field as [Value.String] spells it; "" is
// [Null].
func (f Field) ParseText(s string) (Value, error) {
	if s == "" {
		return Null, nil
	}
	switch f.Type {
	case Text:
		if len(s) > MaxText {
			return Null, fmt.Errorf("a text of %d bytes: %w (%d)", len(s), ErrTooLong, MaxText)
		}
		return Str(s), nil
	case Instant:
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return Null, fmt.Errorf("%q: not an instant, as 2026-11-23T10:00:00Z is", clip(s))
		}
		return At(t), nil
	case Day:
		t, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return Null, fmt.Errorf("%q: not a day, as 2026-11-23 is", clip(s))
		}
		return On(t.Date()), nil
	case Place:
		lat, lon, _ := bytes.Cut([]byte(s), []byte(","))
		return parsePlace(string(lat), string(lon))
	}
	return f.ParseJSON([]byte(s))
}

// AppendJSON appends a value as JSON.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.kind {
	case null:
		return append(dst, "null"...)
	case decimal, integer, boolean:
		return append(dst, v.String()...)
	case place:
		lat, lon := v.E7()
		dst = append(append(dst, `{"lat":`...), decimalString(int64(lat), 7)...)
		dst = append(append(dst, `,"lon":`...), decimalString(int64(lon), 7)...)
		return append(dst, '}')
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v.String()) // a string always encodes
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// AppendJSON appends a row as a JSON object, without its nulls.
func (s *Schema) AppendJSON(dst []byte, r Row) []byte {
	dst = append(dst, '{')
	first := true
	for i, f := range s.Fields {
		if r[i].IsNull() {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(append(dst, '"'), f.Name...), '"', ':')
		dst = r[i].AppendJSON(dst)
	}
	return append(dst, '}')
}
