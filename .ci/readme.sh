# Commands are taken from the README, so that what is promised there is what runs here:
# the code block that follows the marker <!-- ci: NAME -->.
readme_command() {
  local command
  command=$(awk -v marker="<!-- ci: $1 -->" '
    $0 == marker { found = 1; next }
    found && /^```/ { if (inside) exit; inside = 1; next }
    inside' README.md)
  [ -n "$command" ] || { echo "README.md has no command marked $1" >&2; exit 1; }
  printf '%s\n' "$command"
}

run_readme() {
  local command
  command=$(readme_command "$1")
  printf '\n== README: %s\n%s\n' "$1" "$command"
  bash -euo pipefail -c "$command"
}

# The pages' tests need a browser, and here they may not be skipped.
export IMGSIM_REQUIRE_BROWSER=1
need_chromium() {
  local root=()
  command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null && return
  [ "$(id -u)" = 0 ] || root=(sudo)
  "${root[@]}" apt-get update -q
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y chromium
}
