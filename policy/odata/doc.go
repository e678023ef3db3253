// Package odata reads the target of a request the one way it can be read: the
// path as segments, the query as named options, and the values of the OData
// system query options ($select, $expand, $filter, $orderby, $top, ...).
//
// ParseTarget comes first; the Parse functions take the decoded value of one
// option. Whatever can be read in two ways is refused, because the reader behind
// us may choose the other one: what was checked is then encoded afresh
// (AppendSegment, AppendOption) and nothing else is forwarded.
//
// The package knows the grammar of OData 4.01 URLs (OASIS, "OData Version 4.01
// Part 2: URL Conventions") as Microsoft Graph uses it. It does not know any
// path, property or permission of Graph, and decides nothing: policy does.
package odata
