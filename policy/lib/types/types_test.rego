package graphveil.types_test

import data.graphveil.errors
import data.graphveil.shape
import data.graphveil.types as t

test_recipient if {
	t.recipient == {
		"@odata.type": {"$op": "keep"},
		"emailAddress": {"address": {"$op": "pseudonym"}, "name": {"$op": "drop"}},
		"type": {"$op": "keep"},
		"status": {"response": {"$op": "keep"}, "time": {"$op": "keep"}},
		"proposedNewTime": {
			"start": {"dateTime": {"$op": "keep"}, "timeZone": {"$op": "keep"}},
			"end": {"dateTime": {"$op": "keep"}, "timeZone": {"$op": "keep"}},
		},
	}
}

test_entity if {
	t.entity == {
		"@odata.type": {"$op": "keep"},
		"@odata.etag": {"$op": "drop"},
		"@odata.id": {"$op": "drop"},
		"@odata.editLink": {"$op": "drop"},
	}
}

test_page if {
	t.page({"id": shape.keep}) == {
		"@odata.context": {"$op": "drop"},
		"@odata.count": {"$op": "keep"},
		"@odata.nextLink": {"$op": "link"},
		"@microsoft.graph.tips": {"$op": "drop"},
		"error": errors.shape.error,
		"value": [{"id": {"$op": "keep"}}],
	}
}

test_changes if {
	t.changes({"id": shape.keep}) == {
		"@odata.context": {"$op": "drop"},
		"@odata.count": {"$op": "keep"},
		"@odata.deltaLink": {"$op": "link"},
		"@odata.nextLink": {"$op": "link"},
		"@microsoft.graph.tips": {"$op": "drop"},
		"error": errors.shape.error,
		"value": [{"id": {"$op": "keep"}, "@removed": {"reason": {"$op": "keep"}}}],
	}
}

test_released_properties if {
	t.released_properties({
		"@odata.type": shape.keep,
		"id": shape.reversible,
		"name": shape.drop,
		"flag": {"note": shape.drop},
		"addresses": [shape.email],
		"members@delta": shape.drop,
	}) == {"id", "flag", "addresses"}
}

test_single if {
	t.single({"id": shape.keep}) == {
		"@odata.context": {"$op": "drop"},
		"@microsoft.graph.tips": {"$op": "drop"},
		"id": {"$op": "keep"},
	}
}

test_dropped if {
	t.dropped({"a", "b"}) == {"a": {"$op": "drop"}, "b": {"$op": "drop"}}
}

# A merge would leave "original" behind.
test_override_does_not_merge_operations if {
	t.override({"mail": shape.json_pseudonym_with_original, "id": shape.keep}, {"mail": shape.drop}) == {
		"mail": {"$op": "drop"},
		"id": {"$op": "keep"},
	}
}

test_clear_properties if {
	t.clear_properties({
		"@odata.type": shape.keep,
		"id": shape.reversible,
		"name": shape.drop,
		"city": shape.keep,
		"groupTypes": [shape.keep],
		"flag": {"flagStatus": shape.keep, "note": shape.drop, "x@odata.type": shape.keep},
		"assignedLicenses": [{"skuId": shape.keep, "disabledPlans": [shape.keep]}],
	}) == {
		"city",
		"groupTypes",
		"flag/flagStatus",
		"assignedLicenses/skuId",
		"assignedLicenses/disabledPlans",
	}
}

test_mailbox_settings_release_no_reply if {
	t.mailbox_settings.automaticRepliesSetting == {
		"externalAudience": {"$op": "keep"},
		"externalReplyMessage": {"$op": "drop"},
		"internalReplyMessage": {"$op": "drop"},
		"scheduledStartDateTime": t.date_time_time_zone,
		"scheduledEndDateTime": t.date_time_time_zone,
		"status": {"$op": "keep"},
	}
}

test_times_stay if {
	every times in [t.time_zone, t.patterned_recurrence, t.time_slot] {
		operations := {operation | walk(times, [_, value]); operation := value["$op"]}
		operations == {"keep"}
	}
}

test_strict_drops_time_zones if {
	zone := t.time_zone with data.graphveil.settings as {"level": "strict"}
	t.clear_properties(zone) == set()
	recurrence := t.patterned_recurrence with data.graphveil.settings as {"level": "strict"}
	t.clear_properties(t.patterned_recurrence) - t.clear_properties(recurrence) == {"range/recurrenceTimeZone"}
	slot := t.time_slot with data.graphveil.settings as {"level": "strict"}
	t.clear_properties(slot) == {"start/dateTime", "end/dateTime"}
	settings := t.mailbox_settings with data.graphveil.settings as {"level": "strict"}
	count({"timeZone", "language/locale", "language/displayName"} & t.clear_properties(settings)) == 0
}

test_person_id if {
	t.person_id == {"$op": "pseudonym"}
	t.person_id == {"$op": "keep"} with data.graphveil.settings as {"ids": "clear"}
}

test_other_identities_are_dropped if {
	{operation | some operation in object.union(t.no_identities, t.no_identity)} == {{"$op": "drop"}}
	not "user" in object.keys(t.no_identities)
	not "id" in object.keys(t.no_identity)
}
