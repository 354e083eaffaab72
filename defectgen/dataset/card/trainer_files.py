"""Files that trainers are run with, as far as they are the same for every dataset; names in capitals are filled in."""

from __future__ import annotations

NEQUIP = """\
run: RUN
symbols: ELEMENTS
data:
  _target_: nequip.data.datamodule.ASEDataModule
  seed: 1
FILES
  transforms:
    - {_target_: nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper, model_type_names: "${symbols}"}
    - {_target_: nequip.data.transforms.NeighborListTransform, r_max: 5.0}
  train_dataloader: {_target_: torch.utils.data.DataLoader, batch_size: 4, shuffle: true}
  val_dataloader: {_target_: torch.utils.data.DataLoader, batch_size: 4}
  test_dataloader: "${data.val_dataloader}"
  stats_manager:
    _target_: nequip.data.CommonDataStatisticsManager
    type_names: "${symbols}"
    dataloader_kwargs: {batch_size: 4}
trainer:
  _target_: lightning.Trainer
  max_epochs: 100
  callbacks:
    - _target_: lightning.pytorch.callbacks.ModelCheckpoint
      monitor: val0_epoch/weighted_sum
      dirpath: "${hydra:runtime.output_dir}"
      filename: best
training_module:
  _target_: nequip.train.EMALightningModule
  loss: {_target_: nequip.train.EnergyForceStressLoss, coeffs: {total_energy: 1.0, forces: 1.0, stress: 1.0}}
  val_metrics:
    _target_: nequip.train.EnergyForceStressMetrics
    coeffs: {total_energy_mae: 1.0, forces_mae: 1.0, stress_mae: 1.0}
  train_metrics: "${training_module.val_metrics}"
  test_metrics: "${training_module.val_metrics}"
  optimizer: {_target_: torch.optim.Adam, lr: 0.005}
  model:
    _target_: nequip.model.NequIPGNNModel
    seed: 1
    model_dtype: float64
    type_names: "${symbols}"
    r_max: 5.0
    num_layers: 3
    l_max: 1
    num_features: 32
    avg_num_neighbors: "${training_data_stats:num_neighbors_mean}"
    per_type_energy_scales: "${training_data_stats:per_type_forces_rms}"
    per_type_energy_shifts: SHIFTS
"""

FAIRCHEM = """\
job:
  device_type: CPU
  scheduler: {mode: LOCAL, ranks_per_node: 1}
  run_dir: fairchem/runs
  run_name: defects
max_epochs: 100
train_dataset:
  _target_: fairchem.core.datasets.mt_concat_dataset.create_concat_dataset
  dataset_configs:
    defects: &dataset
      splits: {train: {src: [fairchem/data/train]}}
      format: ase_db
      a2g_args: {r_energy: true, r_forces: true, r_stress: true}
      transforms:
        common_transform: {dataset_name: defects}
        stress_reshape_transform: {dataset_name: defects}
  combined_dataset_config: {sampling: {type: temperature, temperature: 1.0}}
val_dataset:
  _target_: fairchem.core.datasets.mt_concat_dataset.create_concat_dataset
  dataset_configs:
    defects:
      <<: *dataset
      splits: {val: {src: [fairchem/data/val]}}
  combined_dataset_config: {sampling: {type: temperature, temperature: 1.0}}
train_dataloader: &batches
  _target_: fairchem.core.components.common.dataloader_builder.get_dataloader
  batch_sampler_fn:
    _target_: fairchem.core.common.data_parallel.BalancedBatchSampler
    _partial_: true
    batch_size: 4
    shuffle: true
    seed: 1
  dataset: "${train_dataset}"
  num_workers: 0
  collate_fn: {_target_: fairchem.core.units.mlip_unit.mlip_unit.mt_collater_adapter, tasks: "${tasks}"}
tasks:
  - _target_: fairchem.core.units.mlip_unit.mlip_unit.Task
    name: energy
    level: system
    property: energy
    loss_fn:
      _target_: fairchem.core.modules.loss.DDPMTLoss
      loss_fn: {_target_: fairchem.core.modules.loss.PerAtomMAELoss}
      coefficient: 20
    out_spec: {dim: [1], dtype: float32}
    normalizer: &normalizer {_target_: fairchem.core.modules.normalization.normalizer.Normalizer, mean: 0.0, rmsd: 1.0}
    element_references:
      _target_: fairchem.core.modules.normalization.element_references.ElementReferences
      element_references: {_target_: torch.DoubleTensor, _args_: [REFERENCES]}
    datasets: [defects]
    metrics: [mae, per_atom_mae]
  - _target_: fairchem.core.units.mlip_unit.mlip_unit.Task
    name: forces
    level: atom
    property: forces
    train_on_free_atoms: true
    eval_on_free_atoms: true
    loss_fn:
      _target_: fairchem.core.modules.loss.DDPMTLoss
      loss_fn: {_target_: fairchem.core.modules.loss.L2NormLoss}
      reduction: mean
      coefficient: 2
    out_spec: {dim: [3], dtype: float32}
    normalizer: *normalizer
    datasets: [defects]
    metrics: [mae]
  - _target_: fairchem.core.units.mlip_unit.mlip_unit.Task
    name: stress
    level: system
    property: stress
    loss_fn:
      _target_: fairchem.core.modules.loss.DDPMTLoss
      loss_fn: {_target_: fairchem.core.modules.loss.MAELoss}
      reduction: mean
      coefficient: 1
    out_spec: {dim: [1, 9], dtype: float32}
    normalizer: *normalizer
    datasets: [defects]
    metrics: [mae]
runner:
  _target_: fairchem.core.components.train.train_runner.TrainEvalRunner
  train_dataloader: "${train_dataloader}"
  eval_dataloader: {<<: *batches, dataset: "${val_dataset}"}
  train_eval_unit:
    _target_: fairchem.core.units.mlip_unit.mlip_unit.MLIPTrainEvalUnit
    job_config: "${job}"
    tasks: "${tasks}"
    model:
      _target_: fairchem.core.models.base.HydraModel
      backbone:
        model: fairchem.core.models.uma.escn_md.eSCNMDBackbone
        sphere_channels: 64
        hidden_channels: 64
        edge_channels: 64
        num_distance_basis: 64
        lmax: 2
        mmax: 2
        num_layers: 2
        cutoff: 6.0
        otf_graph: true
        direct_forces: false
        regress_stress: true
        always_use_pbc: false
        dataset_list: [defects]
      heads:
        efs: {module: fairchem.core.models.uma.escn_md.MLP_EFS_Head}
      pass_through_head_outputs: true
    optimizer_fn: {_target_: torch.optim.AdamW, _partial_: true, lr: 0.0005, weight_decay: 0.001}
    cosine_lr_scheduler_fn:
      _target_: fairchem.core.units.mlip_unit.mlip_unit._get_consine_lr_scheduler
      _partial_: true
      warmup_factor: 0.2
      warmup_epochs: 0.01
      lr_min_factor: 0.01
      epochs: "${max_epochs}"
      steps: null
    clip_grad_norm: 100
  max_epochs: "${max_epochs}"
  max_steps: null
  callbacks:
    - {_target_: fairchem.core.components.callbacks.TrainCheckpointCallback, checkpoint_every_n_steps: 1000}
"""

ORB = """\
import torch
from ase.db import connect
from ase.io import iread
from orb_models.dataset.ase_sqlite_dataset import AseSqliteDataset
from orb_models.forcefield import base, pretrained, property_definitions

EPOCHS = 50
with connect("orb.db", append=False) as database:
    for atoms in iread("train.extxyz", ":"):
        database.write(atoms)
model = pretrained.orb_v3_conservative_inf_omat(device="cpu", train=True)
targets = property_definitions.instantiate_property_config({"graph": ["energy", "stress"], "node": ["forces"]})
data = AseSqliteDataset("defects", "orb.db", model.system_config, target_config=targets)
batches = torch.utils.data.DataLoader(data, batch_size=4, shuffle=True, collate_fn=base.batch_graphs)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
for epoch in range(EPOCHS):
    for batch in batches:
        optimizer.zero_grad()
        loss = model.loss(batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
    print(epoch, float(loss))
torch.save(model.state_dict(), "orb.ckpt")
"""
