package graph

import (
	"fmt"
	"net/http"
	"strings"
)

// A mailbox is 4·Messages messages, newest first. Of each four in a row two are in the Inbox, one is in Sent Items, and one is in one
// of the smaller folders in turn; so folder and date of a position, and the position of a folder's k-th message, need no index.
type folder int

const (
	inbox folder = iota
	sentItems
	drafts
	deletedItems
	archive
	junkEmail
	ownFolder // made by the user, and empty
	folderCount
)

var folderNames = [folderCount]struct{ known, display string }{
	{"inbox", "Inbox"}, {"sentitems", "Sent Items"}, {"drafts", "Drafts"}, {"deleteditems", "Deleted Items"}, {"archive", "Archive"},
	{"junkemail", "Junk Email"}, {"", "Performance reviews"},
}

const smallFolders = 4

// folderAt returns the folder of the message at a position of the mailbox.
func folderAt(position int) folder {
	switch position % 4 {
	case 0, 2:
		return inbox
	case 1:
		return sentItems
	default:
		return drafts + folder(position/4%smallFolders)
	}
}

// position returns where in the mailbox the folder's k-th message is.
func (f folder) position(k int) int {
	switch f {
	case inbox:
		return 2 * k
	case sentItems:
		return 4*k + 1
	default:
		return 4*(smallFolders*k+int(f-drafts)) + 3
	}
}

// size is the number of messages in the folder, of a mailbox with so many in Sent Items.
func (f folder) size(sent int) int {
	switch f {
	case inbox:
		return 2 * sent
	case sentItems:
		return sent
	case ownFolder:
		return 0
	default:
		return (sent - int(f-drafts) + smallFolders - 1) / smallFolders
	}
}

// folder finds a folder by id or well-known name.
func (s *Server) folder(user int, key string) (folder, *problem) {
	for f := range folderCount {
		if name := folderNames[f].known; name != "" && strings.EqualFold(name, key) || string(s.keys.appendFolderID(nil, user, int(f))) == key {
			return f, nil
		}
	}
	return 0, &problem{status: http.StatusNotFound, code: "ErrorItemNotFound",
		message: fmt.Sprintf("The specified folder '%s' could not be found in the store.", key)}
}

// ownedFolder is folder f of a user's mailbox.
type ownedFolder struct {
	person
	f folder
}

// folderTable has the structural properties of microsoft.graph.mailFolder in v1.0. Source: the v1.0 CSDL.
var folderTable = newTable("microsoft.graph.mailFolder", []property[ownedFolder]{
	{"id", func(o *ownedFolder, b []byte) []byte {
		return append(o.s.keys.appendFolderID(append(b, '"'), o.i, int(o.f)), '"')
	}},
	{"displayName", func(o *ownedFolder, b []byte) []byte {
		b = append(append(b, '"'), folderNames[o.f].display...)
		if o.f == ownFolder {
			b = appendMark(b, o.s.cfg.Canary)
		}
		return append(b, '"')
	}},
	{"parentFolderId", func(o *ownedFolder, b []byte) []byte {
		return append(o.s.keys.appendFolderID(append(b, '"'), o.i, int(folderCount)), '"')
	}},
	{"childFolderCount", raw[ownedFolder](`0`)},
	{"unreadItemCount", func(o *ownedFolder, b []byte) []byte { return appendInt(b, o.f.size(o.s.cfg.Messages)/3) }},
	{"totalItemCount", func(o *ownedFolder, b []byte) []byte { return appendInt(b, o.f.size(o.s.cfg.Messages)) }},
	{"isHidden", raw[ownedFolder](`false`)},
}, nil)

func (s *Server) listFolders(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	l := &listing{target: t, context: keyIn("users", t.keys[0]) + "/mailFolders" + contextFields(q), total: int(folderCount)}
	if p := s.arrange(l, q, nil, ""); p != nil {
		return p
	}
	chosen, p := folderTable.choose(q.fields)
	if p != nil {
		return p
	}
	owner := s.person(user)
	l.record = func(b []byte, i int) []byte {
		return append(chosen.append(append(b, '{'), &ownedFolder{owner, folder(i)}), '}')
	}
	return s.list(a, q, l)
}

func (s *Server) getFolder(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	f, p := s.folder(user, t.keys[1])
	if p != nil {
		return p
	}
	chosen, p := folderTable.choose(q.fields)
	if p != nil {
		return p
	}
	owned := &ownedFolder{s.person(user), f}
	a.entity(keyIn("users", t.keys[0])+"/mailFolders"+contextFields(q), func(b []byte) []byte { return chosen.append(b, owned) })
	return nil
}
