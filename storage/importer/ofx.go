// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"bufio"
	"context"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// ofx is Open Financial Exchange, version 1 (SGML, whose leaves need no end) and
// 2 (XML), as banks really write it: headers that are missing or wrong, tags
// that are never closed, decimal commas. The day of a row is the day that the
// bank wrote, in whatever zone. Investment statements are refused: a purchase
// is no payment.
var ofx = Format{Name: "ofx", Fits: fitsOFX, Read: readOFX}

var ofxStart = regexp.MustCompile(`(?i)^\s*(?:OFXHEADER:|(?:<\?[^>]*>\s*|<!--(?s:.*?)-->\s*)*(?:<\?OFX\b|<OFX>))`)

func fitsOFX(h Head) Fit {
	if ofxStart.MatchString(h.Text) {
		return Sure
	}
	return No
}

var ofxCharset = regexp.MustCompile(`(?i)\bCHARSET:\s*([A-Z0-9-]+)`)

func readOFX(ctx context.Context, src *Source, to *Sink) error {
	if err := statementSize(src); err != nil {
		return err
	}
	name := ""
	if m := ofxCharset.FindStringSubmatch(src.Head.Text); m != nil && m[1] != "1252" {
		name = m[1] // of 1252 it is said too often of what is UTF-8, and found out anyway
	}
	in, err := src.TextIn(name)
	if err != nil {
		return err
	}
	defer in.Close()
	f := &ofxFile{bank: newBank(src.Options, to), said: src.Account, in: ofxReader{r: bufio.NewReaderSize(in, 32<<10), line: 1}}
	for {
		tag, err := f.in.next()
		if err == io.EOF {
			return f.end()
		}
		if err != nil {
			return err
		}
		if err := f.take(tag); err != nil {
			return err
		}
	}
}

// ofxFile is what the reading of one file knows.
type ofxFile struct {
	bank *bank
	said string // the account, if the person named it
	in   ofxReader
	open []string // the aggregates that are open, of those in ofxAggregates

	leaves      map[string]string // those in ofxLeaves of the transaction, balance or status that is open
	line        int               // where it began
	institution record.Value
	statement   account
	investment  bool   // a statement of that kind was seen
	rows        int    // transactions of accounts
	statements  int    // with an account
	fault       string // what the bank answered instead of a statement
}

// ofxAggregates are the aggregates that matter. Another tag is
// passed over; so nothing depends on whether it is ever closed.
var ofxAggregates = wordSet(`STMTRS CCSTMTRS INVSTMTRS BANKTRANLIST INVTRANLIST INVBANKTRAN BANKTRANLISTP STMTTRN STMTTRNP BANKACCTFROM CCACCTFROM INVACCTFROM
	BANKACCTTO CCACCTTO PAYEE CURRENCY ORIGCURRENCY LEDGERBAL AVAILBAL FI STATUS`)

// ofxLeaves are the leaves that are kept; a file may have any number of others.
var ofxLeaves = wordSet(`CORRECTFITID DTPOSTED DTAVAIL DTUSER TRNAMT TRNTYPE FITID NAME EXTDNAME MEMO CHECKNUM CURSYM BALAMT DTASOF SEVERITY CODE MESSAGE`)

// ofxCloses are the aggregates whose beginning ends others: one cannot lie in
// the other.
var ofxCloses = map[string][]string{
	"STMTRS": {"STMTRS", "CCSTMTRS", "INVSTMTRS"}, "CCSTMTRS": {"STMTRS", "CCSTMTRS", "INVSTMTRS"}, "INVSTMTRS": {"STMTRS", "CCSTMTRS", "INVSTMTRS"},
	"BANKTRANLIST": {"BANKTRANLIST", "BANKACCTFROM", "CCACCTFROM", "STATUS"}, "BANKTRANLISTP": {"BANKTRANLIST", "BANKTRANLISTP"},
	"STMTTRN": {"STMTTRN", "STMTTRNP"}, "STMTTRNP": {"STMTTRN", "STMTTRNP"},
	"LEDGERBAL": {"BANKTRANLIST", "BANKTRANLISTP", "INVTRANLIST", "AVAILBAL", "LEDGERBAL"}, "AVAILBAL": {"BANKTRANLIST", "BANKTRANLISTP", "INVTRANLIST", "LEDGERBAL", "AVAILBAL"},
	"STATUS": {"STATUS"}, "FI": {"FI", "STATUS"}, "PAYEE": {"PAYEE"},
	"CURRENCY": {"CURRENCY", "ORIGCURRENCY", "PAYEE"}, "ORIGCURRENCY": {"CURRENCY", "ORIGCURRENCY", "PAYEE"},
	"BANKACCTFROM": {"BANKACCTFROM", "CCACCTFROM"}, "CCACCTFROM": {"BANKACCTFROM", "CCACCTFROM"},
}

const maxOFXDepth = 32

func (f *ofxFile) take(t ofxTag) error {
	switch {
	case t.end:
		return f.close(t.name)
	case ofxAggregates[t.name]:
		for _, name := range ofxCloses[t.name] {
			if err := f.close(name); err != nil {
				return err
			}
		}
		if len(f.open) == maxOFXDepth {
			return Why("too-deep", "line", itoa(t.line), "limit", itoa(maxOFXDepth))
		}
		f.open = append(f.open, t.name)
		return f.begin(t)
	}
	f.leaf(t)
	return nil
}

// close ends an aggregate and all that is open in it; one that is not open is
// passed over.
func (f *ofxFile) close(name string) error {
	at := slices.Index(f.open, name)
	if at < 0 {
		return nil
	}
	for i := len(f.open) - 1; i >= at; i-- {
		name, f.open = f.open[i], f.open[:i]
		if err := f.done(name); err != nil {
			return err
		}
	}
	return nil
}

func (f *ofxFile) begin(t ofxTag) error {
	switch t.name {
	case "STMTRS", "CCSTMTRS", "INVSTMTRS":
		f.statement = account{institution: f.institution}
		if t.name == "CCSTMTRS" {
			f.statement.kind = record.Str("CreditCard")
		}
		f.investment = f.investment || t.name == "INVSTMTRS"
	case "STMTTRN", "STMTTRNP", "LEDGERBAL", "STATUS":
		f.leaves, f.line = map[string]string{}, t.line
	}
	if t.name == "STMTTRN" && !f.within("INVSTMTRS") {
		return f.hasAccount()
	}
	return nil
}

func (f *ofxFile) within(name string) bool { return slices.Contains(f.open, name) }

// hasAccount refuses a statement that does not say whose movements it has.
func (f *ofxFile) hasAccount() error {
	if f.rows++; !f.statement.account.IsNull() {
		return nil
	}
	if f.said == "" {
		return Why("no-account")
	}
	f.statement.named(f.said)
	return nil
}

var ofxAccountTypes = map[string]string{"CHECKING": "Checkings", "SAVINGS": "Savings", "MONEYMRKT": "Savings", "CD": "Savings", "CREDITLINE": "Loan"}

func (f *ofxFile) leaf(t ofxTag) {
	top := ""
	if len(f.open) > 0 {
		top = f.open[len(f.open)-1]
	}
	switch top {
	case "STMTRS", "CCSTMTRS":
		if t.name == "CURDEF" {
			f.statement.currency = currency(t.text)
		}
	case "BANKACCTFROM", "CCACCTFROM":
		if t.name == "ACCTID" && t.text != "" && !f.within("STMTTRN") {
			f.statement.named(t.text)
			f.statements++
		}
		if kind, ok := ofxAccountTypes[t.text]; ok && t.name == "ACCTTYPE" {
			f.statement.kind = record.Str(kind)
		}
	case "FI":
		if t.name == "ORG" {
			f.institution = record.Str(t.text)
		}
	case "STMTTRN", "STMTTRNP", "LEDGERBAL", "STATUS":
		if ofxLeaves[t.name] {
			f.leaves[t.name] = t.text
		}
	case "PAYEE", "CURRENCY", "ORIGCURRENCY":
		if ofxLeaves[t.name] && f.within("STMTTRN") {
			f.leaves[top+"."+t.name] = t.text
		}
	}
}

func (f *ofxFile) done(name string) error {
	switch name {
	case "STMTTRN":
		if f.within("INVSTMTRS") {
			return nil
		}
		return f.transaction()
	case "STMTTRNP":
		f.bank.to.Reject(f.line, Why("not-booked"))
	case "LEDGERBAL":
		f.statement.balance, _ = Number(f.leaves["BALAMT"], 0)
		f.statement.balanceDate, _ = ofxDay(f.leaves["DTASOF"])
	case "STATUS":
		if strings.EqualFold(f.leaves["SEVERITY"], "ERROR") {
			f.fault = clip(strings.TrimSpace(f.leaves["CODE"] + " " + f.leaves["MESSAGE"]))
		}
	case "STMTRS", "CCSTMTRS":
		if f.statement.account.IsNull() {
			return nil
		}
		return f.bank.account(f.in.line, &f.statement)
	}
	return nil
}

var ofxTypes = map[string]string{
	"INT": "interest", "DIV": "dividend", "FEE": "fee", "SRVCHG": "fee", "DEP": "deposit", "ATM": "cash", "CASH": "cash", "POS": "card",
	"XFER": "transfer", "CHECK": "check", "PAYMENT": "payment", "DIRECTDEP": "transfer", "DIRECTDEBIT": "debit", "REPEATPMT": "transfer",
}

func (f *ofxFile) transaction() error {
	l := f.leaves
	if l["CORRECTFITID"] != "" {
		f.bank.to.Reject(f.line, Why("correction", "reference", clip(l["CORRECTFITID"])))
		return nil
	}
	date, err := ofxDay(l["DTPOSTED"])
	if err != nil {
		return f.reject(err)
	}
	amount, err := Number(l["TRNAMT"], 0)
	if err != nil {
		return f.reject(err)
	}
	o := operation{
		account: f.statement.account, date: date, amount: amount, currency: f.statement.currency,
		kind: record.Str(ofxTypes[strings.ToUpper(l["TRNTYPE"])]), vendorID: reference(l["FITID"]),
		memo: record.Str(l["MEMO"]), checkNumber: record.Str(l["CHECKNUM"]), fullLabel: record.Str(l["EXTDNAME"]),
	}
	for _, name := range []string{"NAME", "PAYEE.NAME", "EXTDNAME", "MEMO"} {
		if o.label.IsNull() {
			o.label = record.Str(l[name])
		}
	}
	if code := currency(l["CURRENCY.CURSYM"]); !code.IsNull() {
		o.currency = code // the amount is in that one
	}
	o.valueDate, _ = ofxDay(l["DTAVAIL"])
	o.realised, _ = ofxDay(l["DTUSER"])
	return f.bank.operation(f.line, &o)
}

func (f *ofxFile) reject(err error) error {
	f.bank.to.Reject(f.line, err)
	return nil
}

// ofxDay is the day of YYYYMMDDHHMMSS.XXX[gmt offset:zone], as it stands there.
func ofxDay(s string) (record.Value, error) {
	if s == "" {
		return record.Null, nil
	}
	if n := len(s) - len(strings.TrimLeft(s, "0123456789")); n >= 8 {
		s = s[:8]
	}
	return Date(s, "")
}

// end says what the file has been when all of it is read.
func (f *ofxFile) end() error {
	cut := f.within("STMTTRN") || f.within("BANKTRANLIST")
	switch {
	case cut:
		return Why("cut", "line", itoa(f.in.line))
	case f.rows == 0 && f.investment:
		return Why("investment")
	case f.rows == 0 && f.statements == 0 && f.fault != "":
		return Why("ofx-error", "said", f.fault)
	case f.rows == 0 && f.statements == 0:
		return Why("no-statement")
	case f.investment:
		f.bank.to.Warn(Why("investment-left-out"))
	}
	for len(f.open) > 0 { // what its end tag was forgotten of
		if err := f.close(f.open[0]); err != nil {
			return err
		}
	}
	return nil
}

// ofxTag is a tag with the text behind it.
type ofxTag struct {
	name string // in capitals
	end  bool
	text string // without spaces around it, entities resolved
	line int
}

// ofxReader takes a text apart into tags. Comments, processing instructions and
// whatever comes before the first tag are passed over.
type ofxReader struct {
	r    *bufio.Reader
	line int
	tag  *ofxTag // read, its text not yet
	long int     // how many bytes came since the last tag
}

// byte is the next one. A text or a comment without end is refused.
func (o *ofxReader) byte() (byte, error) {
	c, err := o.r.ReadByte()
	if c == '\n' {
		o.line++
	}
	if o.long++; o.long > MaxLine {
		return 0, Why("line-too-long", "line", itoa(o.line), "limit", itoa(MaxLine))
	}
	return c, err
}

func (o *ofxReader) next() (ofxTag, error) {
	var text strings.Builder
	for {
		found, err := o.piece(&text)
		if err != nil && err != io.EOF {
			return ofxTag{}, err
		}
		if found == nil && err == nil {
			continue
		}
		before := o.tag
		o.tag = found
		if before != nil {
			before.text = strings.TrimSpace(html.UnescapeString(strings.TrimSuffix(strings.TrimSpace(text.String()), "]]>")))
			return *before, nil
		}
		if err != nil {
			return ofxTag{}, err
		}
		text.Reset()
	}
}

// piece reads up to the end of the next tag and gives it; what is no tag goes to
// the text, as much as a text may have.
func (o *ofxReader) piece(text *strings.Builder) (*ofxTag, error) {
	for {
		c, err := o.byte()
		if err != nil {
			return nil, err
		}
		if c == '<' {
			break
		}
		o.keep(text, string([]byte{c}))
	}
	inside, closed, err := o.inside()
	name := strings.TrimPrefix(inside, "/")
	if i := strings.IndexAny(name, " \t/"); i > 0 {
		name = name[:i] // attributes, <EMPTY/>
	}
	switch {
	case err != nil:
		return nil, err
	case closed && ofxName.MatchString(name):
		o.long = 0
		return &ofxTag{name: strings.ToUpper(name), end: inside[0] == '/', line: o.line}, nil
	case strings.HasPrefix(inside, "!--"), strings.HasPrefix(inside, "?"), inside == "![CDATA[":
		return nil, nil
	}
	o.keep(text, "<"+inside)
	return nil, nil
}

var ofxName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._:-]{0,63}$`)

func (o *ofxReader) keep(text *strings.Builder, s string) {
	if o.tag != nil && text.Len() <= maxBankText {
		text.WriteString(s)
	}
}

// inside reads what stands between < and >; it is not closed where a line, a
// new < or too much comes before.
func (o *ofxReader) inside() (s string, closed bool, err error) {
	var b []byte
	for len(b) < 256 {
		next, err := o.r.Peek(1)
		if err == io.EOF {
			return string(b), false, nil // it comes again with the next read
		}
		if err != nil {
			return "", false, err
		}
		switch c := next[0]; {
		case c == '>' && !strings.HasPrefix(string(b), "!--"):
			o.r.Discard(1)
			return string(b), true, nil
		case c == '<', c == '\n':
			return string(b), false, nil
		default:
			o.r.Discard(1)
			b = append(b, c)
		}
		switch string(b) {
		case "!--":
			return "!--", false, o.skip("-->")
		case "![CDATA[":
			return string(b), false, nil // its content is text; ]]> is cut off it
		}
	}
	return string(b), false, nil
}

// skip reads on until behind the end of a comment.
func (o *ofxReader) skip(end string) error {
	at := 0
	for at < len(end) {
		c, err := o.byte()
		if err != nil {
			return err
		}
		switch {
		case c == end[at]:
			at++
		case c == '-' && at == 2:
		case c == end[0]:
			at = 1
		default:
			at = 0
		}
	}
	return nil
}
