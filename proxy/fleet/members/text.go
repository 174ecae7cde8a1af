package members

import (
	"cmp"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mostName and mostField limit the texts of an Info, in bytes. Escaped in JSON, all of them are
// shorter than engine.MostReport.
const mostName, mostField = 200, 100

// Encode returns the text of a report.
func (i Info) Encode() []byte {
	text, err := json.Marshal(i.clean())
	if err != nil {
		panic(err) // texts can always be encoded
	}
	return text
}

// decode returns the Info of a member's report; false if the report is not understood. Anyone
// may have written the report: operators see its texts in a terminal, among others. A member
// without a name is named by its ID.
func decode(id string, text []byte) (i Info, ok bool) {
	err := json.Unmarshal(text, &i)
	i.Name = cmp.Or(i.Name, id)
	return i.clean(), err == nil
}

func (i Info) clean() Info {
	i.Name = clean(i.Name, mostName)
	for _, field := range []*string{&i.Version, &i.Generation, &i.Calculated, &i.Health} {
		*field = clean(*field, mostField)
	}
	if strings.Trim(i.Calculated, "0123456789-:T. ") != "" {
		i.Calculated = "" // otherwise it could be newer than any time
	}
	return i
}

// clean replaces the characters that are not printed, and shortens a text to a number of bytes.
func clean(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text[:min(len(text), most)])
	for len(text) > most {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
