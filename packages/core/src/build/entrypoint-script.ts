/**
 * `/berth/entrypoint` of every image whose chain has a `runtime.sh`. Plain POSIX sh (dash, busybox). Its own variables carry a prefix
 * because assigning to a name that the container's environment uses would change what the command sees.
 */
export const entrypointScript = `#!/bin/sh
# Made by Berth. Runs every level's runtime.sh, base first, then becomes the command of the container, which so is process 1 and gets
# its signals. A runtime.sh hands variables on by appending NAME=value lines to the file that $BERTH_ENV names.

_berth_say() { echo "berth: $*" >&2; }

_berth_child=
_berth_stop() {
  [ -z "$_berth_child" ] || kill -TERM "$_berth_child" 2>/dev/null
  exit 143
}
trap _berth_stop TERM INT

if [ $# -eq 0 ]; then
  _berth_say "nothing to run: give the entrypoint a command in berth.yaml"
  exit 64
fi

BERTH_ENV=/dev/null
for _berth_item in /dev/shm /run /tmp; do
  if (umask 077 && : > "$_berth_item/berth-env.$$") 2>/dev/null; then
    BERTH_ENV=$_berth_item/berth-env.$$
    break
  fi
done
export BERTH_ENV

_berth_run() {
  _berth_line=
  IFS= read -r _berth_line < "$1" || :
  case $_berth_line in
    '#!'*) "$1" & ;;
    *) /bin/sh -e "$1" & ;;
  esac
  _berth_child=$!
  wait "$_berth_child"
  _berth_status=$?
  _berth_child=
  return "$_berth_status"
}

_berth_export() {
  while IFS= read -r _berth_line || [ -n "$_berth_line" ]; do
    case $_berth_line in '' | '#'*) continue ;; esac
    case \${_berth_line%%=*} in
      "$_berth_line" | '' | [0-9]* | *[!A-Za-z0-9_]*)
        _berth_say "$1 wrote a line to \\$BERTH_ENV that is not NAME=value: $_berth_line"
        exit 65
        ;;
    esac
    export "$_berth_line"
  done < "$BERTH_ENV"
  [ "$BERTH_ENV" = /dev/null ] || : > "$BERTH_ENV"
}

for _berth_item in /berth/levels/*/runtime.sh; do
  [ -f "$_berth_item" ] || continue
  _berth_run "$_berth_item" || {
    _berth_status=$?
    _berth_say "$_berth_item failed with exit code $_berth_status; the command was not started"
    exit "$_berth_status"
  }
  _berth_export "$_berth_item"
done

[ "$BERTH_ENV" = /dev/null ] || rm -f "$BERTH_ENV"
unset BERTH_ENV _berth_item _berth_line _berth_child _berth_status
trap - TERM INT
exec "$@"
`
