package main

import "encoding/json"

// rawArgs are job args of any kind whose encoded form is given as it is. River
// hands the text to encoding/json, which compacts it and escapes <, >, &, U+2028
// and U+2029 as in any struct; numbers and other escapes keep their spelling.
//
// River asks a job's Go type which args are unique; unique carries a type made for
// that at run time (see uniquekey.go), or nil.
type rawArgs struct {
	kind   string
	text   json.RawMessage
	unique *uniqueArgs
}

func (a rawArgs) Kind() string { return a.kind }

func (a rawArgs) MarshalJSON() ([]byte, error) { return a.text, nil }

func (a *rawArgs) UnmarshalJSON(text []byte) error {
	a.text = append(json.RawMessage(nil), text...)
	return nil
}

// argsText reads the JSON text of a request's args. If typed, it is decoded into Go's own
// values first, so that encoding/json chooses the spelling: numbers become float64 and
// the names of every object are sorted.
func argsText(text string, typed bool) (json.RawMessage, error) {
	if !typed {
		return json.RawMessage(text), nil
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return nil, invalidParams("args: %s", err)
	}
	return json.Marshal(value)
}
