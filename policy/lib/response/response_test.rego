package graphveil.response_test

import data.graphveil.response

test_headers_are_lower_case if {
	every header in response.headers {
		header == lower(header)
	}
}

test_paging_and_retrying_clients_are_served if {
	count({"content-type", "retry-after", "request-id", "preference-applied"} - response.headers) == 0
}

test_nothing_with_ids_or_links if {
	count({
		"etag",
		"last-modified",
		"link",
		"location",
		"set-cookie",
		"www-authenticate",
		"x-ms-ags-diagnostic",
		"x-ms-throttle-information",
		"x-ms-throttle-scope",
	} & response.headers) == 0
}
