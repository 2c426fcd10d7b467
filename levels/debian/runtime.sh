# Runs whenever a container starts. Programs that would count the machine's cores are told how many their container has.
cores=${BERTH_CPU%%.*}
[ "${cores:-0}" -ge 1 ] || cores=1
echo "OMP_NUM_THREADS=$cores" >> "$BERTH_ENV"
echo "GOMAXPROCS=$cores" >> "$BERTH_ENV"
