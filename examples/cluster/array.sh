#!/bin/bash
# A grid of temperatures and pressures as an array of Slurm jobs that share one folder: sbatch examples/cluster/array.sh
# A job that is killed or runs out of time is submitted again as it is: finished points are skipped, and a point goes on
# from its newest checkpoint. After the array, the same command without --shard prints every point.
#SBATCH --array=0-7
#SBATCH --cpus-per-task=1
#SBATCH --time=12:00:00
export OMP_NUM_THREADS=1
defectgen md MgO.cif --temperature 300,600,900 --pressure 0,5,10 --engine lammps --steps 20000 --seed 1 \
  --workers 1 --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" -o points
