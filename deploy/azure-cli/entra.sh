#!/usr/bin/env bash
# Makes in Entra what `graphveil setup --format json` says: applications, their permissions, service principals and federated
# credentials. What is there already is changed where it differs; running it again changes nothing. It grants nothing, and makes no secret.

set -euo pipefail

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
	printf 'entra.sh: needs bash 4.4 or newer, this is %s\nhint: macOS has an old one; brew install bash\n' "$BASH_VERSION" >&2
	exit 1
fi

usage() {
	cat <<'TEXT'
usage: entra.sh [options] setup.json

setup.json is what `graphveil setup --format json` wrote.

  --dry-run               print the commands that would change something, and run none of them
  --existing KEY=ID       the application KEY of setup.json is the one with this object id; may be repeated
  --owner ID              object id of somebody who is to own the applications, too; may be repeated
  --issuer URL            of the workload's token, where setup.json does not say it; so are
  --subject SUBJECT
  --audience AUDIENCE
TEXT
}

say() { printf '%s\n' "$*" >&2; }

die() {
	say "entra.sh: $1"
	if [[ $# -gt 1 ]]; then say "hint: $2"; fi
	exit 1
}

# --- what it was called with ---

dry_run=false
setup=""
issuer=""
subject=""
audience=""
owners=()
declare -A existing=()

readonly guid='^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$'

value_of() { # option and what follows it
	[[ $# -ge 2 && -n $2 ]] || die "$1 needs a value" "entra.sh --help"
	printf '%s' "$2"
}

while [[ $# -gt 0 ]]; do
	case $1 in
		--dry-run) dry_run=true ;;
		--issuer) issuer=$(value_of "$@"); shift ;;
		--subject) subject=$(value_of "$@"); shift ;;
		--audience) audience=$(value_of "$@"); shift ;;
		--owner)
			owner=$(value_of "$@"); shift
			[[ $owner =~ $guid ]] || die "--owner $owner is not an object id" "az ad user show --id NAME@DOMAIN --query id -o tsv"
			owners+=("$owner")
			;;
		--existing)
			pair=$(value_of "$@"); shift
			[[ ${pair#*=} =~ $guid && $pair == *=* ]] || die "--existing $pair is not KEY=OBJECT_ID" "the object id is a GUID, shown on the page of the application; it is not the client id"
			existing[${pair%%=*}]=${pair#*=}
			;;
		-h | --help) usage; exit 0 ;;
		-*) usage >&2; die "$1 is no option" ;;
		*)
			[[ -z $setup ]] || die "one file at a time, not $setup and $1"
			setup=$1
			;;
	esac
	shift
done

[[ -n $setup ]] || { usage >&2; die "no setup.json" "graphveil setup --format json > setup.json"; }
for tool in az jq; do
	command -v "$tool" >/dev/null || die "$tool is not installed" "it needs az (the Azure CLI, 2.40 or newer) and jq (1.6 or newer)"
done

plan=$(jq -c . "$setup" 2>/dev/null) || die "$setup is not JSON" "graphveil setup --format json > setup.json"
get() { jq -r "$1" <<<"$plan"; } # of the whole plan
[[ $(get '.schema? // empty') == 1 ]] || die "$setup does not have schema 1" "take entra.sh and graphveil from the same release"

graph=$(get '.graph.app_id')
readonly graph

keys=$(get '[.applications[]?.key] | join(" ")')
[[ -n $keys ]] || die "$setup has no applications"
for key in "${!existing[@]}"; do
	[[ " $keys " == *" $key "* ]] || die "--existing $key is no application of $setup" "they are $keys"
done

# --- where it is signed in ---

account=$(az account show --output json 2>/dev/null) ||
	die "the Azure CLI is not signed in" "export AZURE_CONFIG_DIR=\$(mktemp -d) keeps this tenant apart from others; then az cloud set --name …, az login --allow-no-subscriptions --tenant …"
tenant=$(jq -r .tenantId <<<"$account")
wanted=$(get '.tenant // empty')
if [[ $wanted =~ $guid && ${wanted,,} != "${tenant,,}" ]]; then
	die "$setup is for tenant $wanted, the Azure CLI is signed in to $tenant" "export AZURE_CONFIG_DIR=\$(mktemp -d); az login --allow-no-subscriptions --tenant $wanted"
fi
host=$(az cloud show --output json | jq -r .endpoints.microsoftGraphResourceId)
host=${host#https://}
host=${host%/}
[[ $host == "$(get '.graph.host')" ]] ||
	die "$setup is for $(get '.graph.host'), the Azure CLI uses $host" "az cloud list --query '[].[name, endpoints.microsoftGraphResourceId]' -o tsv, az cloud set --name …, az login again"
readonly account tenant wanted host

# --- what is to be there ---

# The ids that Microsoft Graph has for the names of roles, in this tenant.
roles=$(az ad sp show --id "$graph" --output json | jq -c '[.appRoles[] | {key: .value, value: .id}] | from_entries')

# Each application gets what it asks of Graph and which token it trusts, as Entra writes them, and what is wrong with them.
plan=$(jq -c --arg graph "$graph" --slurpfile roles <(printf '%s' "$roles") --arg issuer "$issuer" --arg subject "$subject" --arg audience "$audience" '
	def role: $roles[0][.role // .name];
	.applications[] |= (.credential.federated as $f
		| .refused = [.permissions[] | select(role == null or (.role_id != "" and .role_id != role)) | .role // .name]
		| .asks = [{resourceAppId: $graph, resourceAccess: [.permissions[] | {id: role, type: "Role"}] | sort_by(.id)}]
		| .claims = if $f then [[$f.issuer, $issuer], [$f.subject, $subject], [$f.audience, $audience]] else [] end
		| .differs = any(.claims[]; all(.[]; . != "") and .[0] != .[1])
		| .claims |= map(map(select(. != ""))[0] // "")
		| .trusts = if $f then {name: $f.name, issuer: .claims[0], subject: .claims[1], audiences: [.claims[2]]} else null end)' <<<"$plan")
readonly plan roles

# All is looked at before anything is changed, so that nothing is done by half.
refused=$(get '[.applications[].refused[]] | unique | join(", ")')
[[ -z $refused ]] || die "Microsoft Graph in this tenant does not have these roles under the ids of $setup: $refused" "write $setup again, for the right cloud, and do not edit its ids"
differs=$(get '[.applications[] | select(.differs) | .key] | join(", ")')
[[ -z $differs ]] || die "the options and $setup say different things of the token that these are to trust: $differs" "leave out --issuer, --subject or --audience"
unclear=$(get '[.applications[] | select(any(.claims[]; . == "")) | "\(.key): \(.credential.federated.missing | join(", "))"] | join("; ")')
[[ -z $unclear ]] || die "nothing says which token is to be trusted ($unclear)" "write $setup again with --issuer and --subject, or give them here"

# --- doing it ---

exec 3>&1 # where a dry run prints commands

# change runs what changes something, or prints it. An application that was made a moment ago ($fresh) is not known everywhere in
# Entra yet, so there it tries again.
fresh=false
change() {
	local word try
	if $dry_run; then
		for word in az "$@"; do
			[[ $word =~ ^[A-Za-z0-9_./:=@-]+$ ]] || word=${word@Q}
			printf '%s ' "$word" >&3
		done
		printf '\n' >&3
		return 0
	fi
	for try in 1 2 3 4 5; do
		if az "$@"; then return 0; fi
		if ! $fresh || [[ $try == 5 ]]; then return 1; fi
		say "waiting for Entra to know the new application everywhere"
		sleep $((try * 2))
	done
}

# find_application prints the application as it is in the tenant, or nothing.
find_application() { # key, name, client id or nothing
	local id found
	id=${existing[$1]:-$3}
	if [[ -n $id ]]; then
		az ad app show --id "$id" --output json || die "there is no application $id for $1 in tenant $tenant" "compare the id and the tenant; it must be an app registration, not an enterprise application"
		return
	fi
	# The CLI looks for names that begin so.
	found=$(az ad app list --display-name "$2" --output json | jq -c --arg name "$2" '.[] | select(.displayName == $name)')
	[[ $found != *$'\n'* ]] || die "several applications are called \"$2\": $(jq -rs '[.[].id] | join(", ")' <<<"$found")" "say which one with --existing $1=OBJECT_ID"
	printf '%s' "$found"
}

# Whoever runs this owns what is made, and can change it later without the role. A service principal that runs it has no such name.
me=$(az ad signed-in-user show --output json 2>/dev/null | jq -r .id) || me=""
[[ -z $me ]] || owners+=("$me")

made=() # keys, each followed by its client id
left=() # commands for somebody else

mapfile -t facts < <(get '.applications[] | .key, .display_name, .client_id, (.asks | tojson), (.trusts | tojson)')
for ((at = 0; at < ${#facts[@]}; at += 5)); do
	key=${facts[at]} name=${facts[at + 1]} given=${facts[at + 2]} asks=${facts[at + 3]} trusts=${facts[at + 4]}
	fresh=false
	there=$(find_application "$key" "$name" "$given")

	if [[ -z $there ]]; then
		say "$key: makes \"$name\""
		there=$(change ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --required-resource-accesses "$asks" --output json)
		if $dry_run; then there='{"id": "OBJECT_ID", "appId": "CLIENT_ID"}'; fi
		fresh=true
	fi
	mapfile -t now < <(jq -r --argjson asks "$asks" '
		def normal: map({resourceAppId, resourceAccess: .resourceAccess | map({id, type}) | sort_by(.id)}) | sort_by(.resourceAppId);
		.id, .appId, .signInAudience, ((.requiredResourceAccess // [] | normal) == ($asks | normal))' <<<"$there")
	object=${now[0]} client=${now[1]}
	[[ -z $given || ${given,,} == "${client,,}" ]] || die "$key: $setup says client id $given, the application $object has $client" "leave one of them out"
	made+=("$key" "$client")

	have='[]' principals='[]' owned='[]'
	if ! $fresh; then
		if [[ ${now[3]} == false ]]; then
			say "$key: changes the permissions that it asks for"
			change ad app update --id "$object" --required-resource-accesses "$asks" --output none
		fi
		if [[ ${now[2]} != AzureADMyOrg ]]; then
			say "$key: closes it to other tenants"
			change ad app update --id "$object" --sign-in-audience AzureADMyOrg --output none
		fi
		have=$(az ad app federated-credential list --id "$object" --output json)
		principals=$(az ad sp list --filter "appId eq '$client'" --output json)
		owned=$(az ad app owner list --id "$object" --output json)
	fi
	mapfile -t now < <(jq -rn --argjson trusts "$trusts" --argjson have "$have" --argjson principals "$principals" --argjson owned "$owned" '
		def claims: {issuer, subject, audiences};
		(if $trusts == null or any($have[]; claims == ($trusts | claims)) then "same" elif any($have[]; .name == $trusts.name) then "update" else "create" end),
		$trusts.name, $trusts.subject, ($principals | length), ([$owned[].id] | join(" "))')

	if [[ ${now[0]} == create ]]; then
		say "$key: trusts ${now[2]}"
		change ad app federated-credential create --id "$object" --parameters "$trusts" --output none
	elif [[ ${now[0]} == update ]]; then
		say "$key: trusts ${now[2]} from now on"
		change ad app federated-credential update --id "$object" --federated-credential-id "${now[1]}" --parameters "$(jq -c 'del(.name)' <<<"$trusts")" --output none
	fi

	seen=" ${now[4]} "
	for owner in "${owners[@]}"; do
		if [[ $seen != *" $owner "* ]]; then
			say "$key: gets the owner $owner"
			change ad app owner add --id "$object" --owner-object-id "$owner" --output none
			seen+="$owner "
		fi
	done

	if [[ ${now[3]} == 0 ]]; then
		say "$key: gets a service principal"
		# Who was handed an application over may own that and still not be allowed this.
		change ad sp create --id "$client" --output none || left+=("az ad sp create --id $client")
	fi
done

# --- what is left ---

say ""
if $dry_run; then
	say "Nothing was changed."
	exit 0
fi

ids=$(jq -cn '$ARGS.positional | [range(0; length; 2) as $i | {key: .[$i], value: .[$i + 1]}] | from_entries' --args "${made[@]}")

jq -r --argjson ids "$ids" --arg tenant "$tenant" '
	"# for graphveil.yaml",
	"tokens:",
	"  tenant: \($tenant)",
	"  cloud: \(.cloud)",
	"  connectors:",
	(.applications[] | .key as $key | .connectors[] | "    \(.): {client_id: \($ids[$key])}")' <<<"$plan"

if [[ ${#left[@]} -gt 0 ]]; then
	printf '\n# You may not make service principals. A Cloud Application Administrator runs:\n'
	printf '%s\n' "${left[@]}"
fi

# The steps that administrators do, with ids in place of the words that stand for them, the longest words first.
jq -r --argjson ids "$ids" --arg tenant "$tenant" '
	def filled:
		reduce ($ids | to_entries | sort_by(-(.key | length))[]) as $i (.; gsub("CLIENT_ID_OF_" + ($i.key | ascii_upcase); $i.value))
		| gsub("TENANT_ID"; $tenant);
	.steps[] | select(.for == ("consent", "meetings", "mailboxes")) |
	"", "## \(.title)\(if .optional then " (optional)" else "" end)", "",
	"Who: \(.who).\(if .until != "" then " Until: \(.until | filled)." else "" end)", "",
	(.what | filled),
	(if .links then "", (.links[] | filled) else empty end),
	(if (.commands | length) > 0 then "", (.commands[] | "    " + filled) else empty end)' <<<"$plan"
