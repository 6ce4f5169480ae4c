"""TrainingArguments.to_dict() of transformers 5.18 and, run again there, of 4.57.6."""
import json,os,transformers
from transformers import TrainingArguments
V5=transformers.__version__>='5'
out=os.path.join(os.path.dirname(os.path.abspath(__file__)),'arguments.json')
nb=dict(output_dir='./model',eval_strategy='steps',eval_steps=20,save_strategy='steps',save_steps=20,save_total_limit=3,logging_steps=50,num_train_epochs=30,per_device_train_batch_size=4,per_device_eval_batch_size=1,gradient_accumulation_steps=8,learning_rate=8e-5,lr_scheduler_type='cosine_with_restarts',weight_decay=0.06,max_grad_norm=0.5,optim='adamw_torch_fused',eval_accumulation_steps=4,load_best_model_at_end=True,metric_for_best_model='combined_score',report_to=[],gradient_checkpointing=True,disable_tqdm=False)
w=dict(warmup_steps=.25) if V5 else dict(warmup_ratio=.25)
cases=[dict(disable_tqdm=False),dict(nb,**w,**({} if V5 else dict(logging_dir='logs'))),dict(output_dir='o',disable_tqdm=False,use_cpu=True,warmup_steps=7,lr_scheduler_kwargs='{"num_cycles": "2", "x": "true", "y": "0.5"}',debug='underflow_overflow',include_num_input_tokens_seen=True,torch_compile_mode='default',accelerator_config=dict(split_batches=True),eval_strategy='epoch',save_strategy='epoch',metric_for_best_model='eval_loss',hub_token='secret',**({'train_sampling_strategy':'group_by_length'} if V5 else {'group_by_length':True,'logging_dir':'logs'}))]
try: old=json.load(open(out))
except Exception: old=[]
rel='hf5' if V5 else 'hf4.57'
old=[c for c in old if c['compat']!=rel]
for c in cases:
    d=TrainingArguments(**c).to_dict()
    if d.get('logging_dir','').startswith('trainer_output/runs'): d['logging_dir']='(by time and host)'
    old.append(dict(compat=rel,options=c,dict=d))
json.dump(old,open(out,'w'),indent=1)
