# Runs the command in the guest, as its first process and with the host's programs. Its output goes to the host
# through two virtio ports, by way of pipes: a port can be opened only once, and must be drained before power-off.
control=/run/fairlead-guest
. "$control/settings"
export PATH="$GUEST_PATH"
modprobe -a af_packet veth bridge nf_tables ip_vs
: >"$control/started"
if [ -n "$INTERACTIVE" ]; then
  stty rows "$ROWS" cols "$COLUMNS" </dev/ttyS0
  setsid --ctty --wait sh "$control/command" </dev/ttyS0 >/dev/ttyS0 2>&1
  code=$?
else
  mkfifo -m 600 /run/fairlead-stdout /run/fairlead-stderr
  set -- /dev/vport*p1 /dev/vport*p2
  cat /run/fairlead-stdout >"$1" &
  out=$!
  cat /run/fairlead-stderr >"$2" &
  err=$!
  sh "$control/command" </dev/null >/run/fairlead-stdout 2>/run/fairlead-stderr &
  wait $!
  code=$?
  # What it left running in the background may hold the pipes open: that is not waited for.
  (sleep 2; kill "$out" "$err") 2>/dev/null &
  wait "$out" "$err"
fi
echo "$code" >"$control/exit.part"
mv "$control/exit.part" "$control/exit"
echo o >/proc/sysrq-trigger
# The power may go before this is over, and with it the files that a program needs to end.
sleep 60 2>/dev/null
